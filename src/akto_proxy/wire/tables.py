"""What the protocols say: known words, constants, shapes of identifiers and of media.

Every string of a body is text unless it is in one of these tables *and* has the shape the table promises. A field named
`id` that holds a sentence is a sentence. The price is a short check on strings that are nearly always harmless.
Names of known fields are not read as text: a fixed word cannot carry a secret. Every other field name is.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from akto_proxy.model import Role

TEXT: Final = 0
IDENTIFIER: Final = 1
CONSTANT: Final = 2
ENCODED: Final = 3
QUIET: Final = 4
TIME: Final = 5


def _words(text: str) -> list[str]:
    return text.split()


_TEXT_WORDS = _words("""
inputs inputs_text input text texts query prompt suffix question context answer content parts message messages name
description parameters arguments function functions custom tools tool_calls function_call tool_prompt stop stop_strings
stop_sequences bad_words grammar value json_schema schema response_format model generated_text details tokens token
prefill best_of_sequences top_tokens choices delta logprobs top_logprobs refusal reasoning reasoning_content thinking
templated_text tokenize_response instances predictions prompt_name source_sentence sentences sentence user label
labels summary_text translation_text sequence sequences token_str word entity entity_group candidate_labels
candidateLabels hypothesis_template targets cells table text_pair prefix negative_prompt images image image_url url
audio input_audio file filename file_url chunks chat_template chat_template_kwargs documents document title
structured_outputs guided_json guided_regex guided_choice guided_grammar metadata request_id vllm_xargs extra_body
prompt_text decoded_token prompt_logprobs stop_reason stop_sequence output outputs results data embeddings embedding
error errors detail code msg param instructions variables summary annotations item part response usage completion
generation_settings completion_probabilities probs meta_info sampling_params input_extra input_prefix input_suffix
prompt_string multimodal_data image_data video_url audio_url video system content_block partial_json source options
format template raw keep_alive created_at done_reason tool_name tool_results citations cited_text results_text
transcript words language task tool input_text output_text input_image server_url server_label server_description
properties required items enum additionalProperties default examples oneOf anyOf allOf defs const pattern
anthropic_version system_fingerprint reasoning_effort verbosity seed temperature top_p top_k typical_p min_p n best_of
max_tokens max_completion_tokens max_new_tokens max_length min_length max_output_tokens num_predict presence_penalty
frequency_penalty repetition_penalty do_sample return_full_text watermark truncate truncation_direction normalize
decoder_input_details top_n_tokens adapter_id stream stream_options include_usage logit_bias echo parallel_tool_calls
strict store background index created score logprob special total_tokens prompt_tokens completion_tokens input_tokens
output_tokens input_length generated_tokens prompt_tokens_details completion_tokens_details input_tokens_details
output_tokens_details cached_tokens reasoning_tokens accepted_prediction_tokens rejected_prediction_tokens
audio_tokens cache_creation_input_tokens cache_read_input_tokens start end timestamp return_text raw_scores top_n
return_documents relevance_score dimensions coordinates aggregator truncated output_index content_index summary_index
sequence_number incomplete_details reason top prob bytes token_ids prompt_token_ids output_ids input_ids ids
tokens_evaluated tokens_predicted tokens_cached timings done total_duration load_duration prompt_eval_count
prompt_eval_duration eval_count eval_duration http_status_code num_inference_steps guidance_scale width height
ignore_eos skip_special_tokens spaces_between_special_tokens generate_parameters max_retries cache_prompt n_predict
stop_word stopping_word text_offset token_logprobs prompt_progress kv_transfer_params service_tier moderation
truncation logprobs_content finish shape datatype versions query_id rank e2e_latency weight_version cached count
num_ctx think output_token_logprobs input_token_logprobs output_top_logprobs input_top_logprobs top_probs
""")
_IDENTIFIER_WORDS = _words("""
id tool_call_id call_id item_id response_id previous_response_id tool_use_id conversation_id message_id
""")
_CONSTANT_WORDS = _words("""
object role type status finish_reason encoding_format tool_choice stop_type mode media_type error_type
""")
_ENCODED_WORDS = _words("""
b64_json file_data encrypted_content prompt_embeds input_embeds blob mask thought_signature signature
""")

KEYS: Final[dict[str, int]] = {
    **dict.fromkeys(_TEXT_WORDS, TEXT),
    **dict.fromkeys(_IDENTIFIER_WORDS, IDENTIFIER),
    **dict.fromkeys(_CONSTANT_WORDS, CONSTANT),
    **dict.fromkeys(_ENCODED_WORDS, ENCODED),
    "embedding": ENCODED,
    "model": QUIET,
    "system_fingerprint": QUIET,
    "created_at": TIME,
    "stop_reason": CONSTANT,
}
"""A known field name -> what its string value is. QUIET is text that repeats in every event of a stream."""

CONSTANTS: Final = frozenset(
    (
        "",
        *_words("""
assistant user system developer tool function model ipython critic text json json_object json_schema regex image_url
input_text output_text input_image input_file input_audio refusal reasoning summary_text reasoning_text message
function_call function_call_output tool_use tool_result tool_calls text_delta input_json_delta thinking_delta
signature_delta citations_delta thinking redacted_thinking image document base64 url file string number integer
boolean object array null float base64_float ephemeral stop length content_filter eos_token stop_sequence end_turn
max_tokens abort pause_turn load unload limit eos word none auto required any completed in_progress incomplete failed
queued cancelled searching disabled enabled left right Left Right chat.completion chat.completion.chunk
text_completion text_completion.chunk list embedding response realtime message_start message_delta message_stop
content_block_start content_block_delta content_block_stop ping error response.created response.queued
response.in_progress response.completed response.incomplete response.failed response.output_item.added
response.output_item.done response.content_part.added response.content_part.done response.output_text.delta
response.output_text.done response.output_text.annotation.added response.refusal.delta response.refusal.done
response.reasoning_text.delta response.reasoning_text.done response.reasoning_part.added response.reasoning_part.done
response.reasoning_summary_part.added response.reasoning_summary_part.done response.reasoning_summary_text.delta
response.reasoning_summary_text.done response.function_call_arguments.delta response.function_call_arguments.done
transcript.text.delta transcript.text.done transcription.chunk rerank score validation generation overloaded
incomplete_generation invalid_request_error Validation Backend Overloaded Tokenizer Empty Unhealthy
"""),
    )
)
"""Values of CONSTANT fields (and SSE event names) that are no text."""

_ID = re.compile(
    r"(?:(?:chatcmpl|cmpl|embd|embed|modelcmpl|transcription|trsc|tool|tools|functions|call|resp|msg|rs|fc|ctc|req|item|"
    r"rerank|score|pool|classify|toolu|srvtoolu|conv)[-_])+[0-9A-Za-z-]{0,40}"
    r"|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,4}|(?=[0-9]*[A-Za-z])[A-Za-z0-9]{9}|"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]*={0,2}\s*")
_NO_LINES: Final = {10: None, 13: None, 9: None}
_MAGIC: Final[dict[str, str]] = {
    "iVBORw": "image/png",
    "/9j/4A": "image/jpeg",
    "/9j/2w": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "audio/wav",
    "T2dnUw": "audio/ogg",
    "ZkxhQw": "audio/flac",
    "SUQzBA": "audio/mpeg",
    "SUQzAw": "audio/mpeg",
    "GkXfow": "video/webm",
    "AAAAIG": "video/mp4",
    "AAAAHG": "video/mp4",
}
HEADS: Final = frozenset({magic[:5] for magic in _MAGIC} | {"data:", "http:", "https", "file:"})
"""The first five characters of strings worth a second look: data URLs, addresses, base64 of media."""

ADDRESS_KEYS: Final = frozenset(
    _words("""
url image_url image images file_url video_url audio_url server_url audio video inputs input source
""")
)
"""Fields whose address a model server may fetch by itself."""

SPOKEN_KEYS: Final = frozenset(
    _words("""
inputs inputs_text input text texts query prompt question context answer content message name value arguments
source_sentence sentence document title user prefix suffix word
""")
)
"""Known fields in which a number stands for the text of its digits."""

TOKEN_KEYS: Final = frozenset(
    _words("""
inputs input prompt input_ids ids prompt_token_ids tokens texts query instances
""")
)
"""Request fields where a list of integers is text in the form of token ids."""

TOKEN_LISTS: Final = frozenset(
    _words("""
tokens prefill content refusal completion_probabilities output_token_logprobs input_token_logprobs
""")
)
"""Fields whose list may be one text cut into tokens."""

ROLES: Final[dict[str, Role]] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
    "ipython": Role.TOOL,
}
TYPE_ROLES: Final[dict[str, Role]] = {
    "function_call_output": Role.TOOL,
    "computer_call_output": Role.TOOL,
    "custom_tool_call_output": Role.TOOL,
    "local_shell_call_output": Role.TOOL,
    "tool_result": Role.TOOL,
    "mcp_call": Role.TOOL,
    "document": Role.TOOL,
    "search_result": Role.TOOL,
    "web_search_tool_result": Role.TOOL,
    "function_call": Role.ASSISTANT,
    "tool_use": Role.ASSISTANT,
    "reasoning": Role.ASSISTANT,
}
KEY_ROLES: Final[dict[str, Role]] = {
    "system": Role.SYSTEM,
    "instructions": Role.SYSTEM,
    "tools": Role.SYSTEM,
    "functions": Role.SYSTEM,
    "tool_prompt": Role.SYSTEM,
    "chat_template": Role.SYSTEM,
    "documents": Role.TOOL,
    "context": Role.TOOL,
    "texts": Role.TOOL,
    "input_extra": Role.TOOL,
    "tool_results": Role.TOOL,
    "table": Role.TOOL,
}


def is_identifier(value: str) -> bool:
    """True for what model servers write as an id: a known prefix and a short random part, a UUID, a small number."""
    return len(value) <= 80 and _ID.fullmatch(value) is not None


def is_base64(value: str) -> bool:
    """True when nothing but characters of standard base64 is in the string."""
    return _BASE64.fullmatch(value) is not None


def is_encoded_text(value: str) -> bool:
    """True when base64 begins with 48 bytes that are all printable ASCII: no image or sound does."""
    try:
        data = base64.b64decode(value[:64].translate(_NO_LINES)[:64] + "==")
    except binascii.Error:
        return False
    return data.isascii() and data.decode("ascii").translate(_NO_LINES).isprintable()


def media_type(value: str) -> str:
    """The media type of a base64 string by its first characters, "" when it is not base64 of a known medium."""
    kind = _MAGIC.get(value[:6]) or _MAGIC.get(value[:5])
    return kind if kind and len(value) >= 24 and is_base64(value) else ""


def quiet(kind: int, value: str) -> bool:
    """True when the string is not text: its field is in a table and it has the shape the table promises."""
    if kind == CONSTANT:
        return value in CONSTANTS
    if kind == IDENTIFIER:
        return is_identifier(value)
    if kind == TIME:
        return _TIME.fullmatch(value) is not None
    return kind == ENCODED and len(value) >= 64 and is_base64(value)
