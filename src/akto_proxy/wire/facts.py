"""Facts about a call that every engine says in its own words: tokens used, tokens allowed, tools, stream or not."""

from __future__ import annotations

from typing import Any, Final

from akto_proxy.model import Usage

_PROMPT: Final = ("prompt_tokens", "input_tokens", "prompt_eval_count", "tokens_evaluated", "input_length")
_COMPLETION: Final = ("completion_tokens", "output_tokens", "eval_count", "tokens_predicted", "generated_tokens")
COUNTS: Final = (*_PROMPT, *_COMPLETION)
"""The names under which engines count tokens."""
_HOLDERS: Final = ("usage", "details", "meta_info", "response", "message")
_LIMITS: Final = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict", "n_predict",
    "max_length",
)  # fmt: skip
_MAX_TOOLS: Final = 256


def usage(tree: Any, depth: int = 0) -> Usage | None:
    """Tokens as the engine counted them: OpenAI, Anthropic, TGI, Ollama, llama.cpp and SGLang say it differently."""
    if type(tree) is list:
        tree = tree[0] if tree else None
    if type(tree) is not dict:
        return None
    told = tree.get("usage") if depth == 0 else None
    if type(told) is dict and (found := usage(told, 1)):  # nearly every engine says it there
        return found
    prompt, completion = _first(tree, _PROMPT), _first(tree, _COMPLETION)
    if prompt is not None or completion is not None:
        return Usage(prompt or 0, completion or 0)
    for holder in _HOLDERS if depth < 2 else ():
        if type(tree.get(holder)) is dict and (found := usage(tree[holder], depth + 1)):
            return found
    return None


def _first(tree: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = tree.get(name)
        if type(value) is int:
            return value
    return None


def max_tokens(tree: Any) -> int:
    """The most tokens the caller lets the model write, 0 when it does not say."""
    if type(tree) is not dict:
        return 0
    for holder in (tree, tree.get("parameters"), tree.get("options"), tree.get("sampling_params")):
        if type(holder) is dict and (found := _first(holder, _LIMITS)) is not None:
            return found
    return 0


def truthy(value: Any) -> bool:
    """True for what lenient engines take as true."""
    return value is True or value == 1 or (type(value) is str and value.lower() in ("true", "1", "yes", "on"))


def tool_names(tree: Any) -> list[str]:
    """Names of tools offered and called, each once, in order."""
    names: dict[str, None] = {}
    if type(tree) is dict:
        _offered(tree.get("tools"), names)
        for message in _messages(tree):
            _offered(message.get("tool_calls"), names)
            _called(message, names)
            _called(message.get("content"), names)
    return list(names)[:_MAX_TOOLS]


def _messages(tree: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[Any] = [tree, tree.get("message")]
    for key in ("messages", "input", "output", "choices"):
        value = tree.get(key)
        items += value if type(value) is list else ()
    dicts = [item for item in items if type(item) is dict]
    return dicts + [item["message"] for item in dicts if type(item.get("message")) is dict and item is not tree]


def _offered(tools: Any, names: dict[str, None]) -> None:
    for tool in tools if type(tools) is list else ():
        if type(tool) is dict:
            inner = tool.get("function")
            name = (inner if type(inner) is dict else tool).get("name")
            if type(name) is str:
                names[name] = None


def _called(part: Any, names: dict[str, None]) -> None:
    for item in part if type(part) is list else (part,):
        if type(item) is dict and item.get("type") in ("function_call", "tool_use", "mcp_call"):
            name = item.get("name")
            if type(name) is str:
                names[name] = None
