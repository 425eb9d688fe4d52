"""The routes of the engines, as data: what is open by default, and what is administrative and closed.

A row is (name, error form, engine, flags); flag `u` is a route without texts of callers (unguarded), `s` one that
always answers with a stream. Several engines share a path; then the row names the one whose errors clients expect.
"""

from __future__ import annotations

from typing import Final

Row = tuple[str, str, str, str]


def _words(text: str) -> list[str]:
    return text.split()


def _rows(text: str) -> dict[str, dict[str, Row]]:
    table: dict[str, dict[str, Row]] = {}
    for line in text.strip().splitlines():
        method, name, form, engine, flags, *paths = line.split()
        for path in paths:
            table.setdefault(method, {})[path] = (name, form, engine.strip("-"), flags.strip("-"))
    return table


ROUTES: Final = _rows(
    """
POST root                  tgi       -         - /
POST toolkit.predict       toolkit   toolkit   - /predict
POST tgi.generate          tgi       tgi       - /generate
POST tgi.generate_stream   tgi       tgi       s /generate_stream
POST sagemaker.invocations tgi       -         - /invocations
POST vertex.predict        tgi       -         - /vertex
POST tgi.chat_tokenize     tgi       tgi       - /chat_tokenize
POST tokenize              tgi       -         - /tokenize /v1/tokenize
POST detokenize            tgi       -         - /detokenize /decode /v1/detokenize
POST openai.chat           openai    -         - /v1/chat/completions /chat/completions
POST openai.chat_batch     openai    vllm      - /v1/chat/completions/batch
POST openai.chat_render    openai    vllm      - /v1/chat/completions/render
POST openai.completions    openai    -         - /v1/completions
POST openai.render         openai    vllm      - /v1/completions/render
POST openai.responses      openai    -         - /v1/responses /responses
POST openai.input_tokens   openai    llama.cpp - /v1/responses/input_tokens /v1/chat/completions/input_tokens
POST anthropic.count       anthropic llama.cpp - /v1/messages/input_tokens
POST openai.embeddings     openai    -         - /v1/embeddings
POST openai.transcription  openai    -         - /v1/audio/transcriptions
POST openai.translation    openai    -         - /v1/audio/translations
POST openai.speech         openai    -         - /v1/audio/speech
POST openai.images         openai    -         - /v1/images/generations /v1/images/edits
POST openai.moderations    openai    -         - /v1/moderations
POST anthropic.messages    anthropic -         - /v1/messages /messages
POST anthropic.count       anthropic -         - /v1/messages/count_tokens
POST tei.embed             tei       tei       - /embed /embed_all /embed_sparse
POST tei.similarity        tei       tei       - /similarity
POST tei.predict           tei       tei       - /v1/predict
POST rerank                tei       -         - /rerank
POST openai.rerank         openai    vllm      - /v1/rerank /v2/rerank /reranking /v1/reranking
POST openai.score          openai    vllm      - /score /v1/score /generative_scoring
POST openai.classify       openai    vllm      - /classify /v1/classify
POST openai.pooling        openai    vllm      - /pooling /v1/pooling
POST openai.embed          openai    vllm      - /v2/embed
POST embeddings            openai    -         - /embeddings /embedding
POST vllm.generate         openai    vllm      - /inference/v1/generate
POST sglang.encode         openai    sglang    - /encode
POST llamacpp.completion   openai    llama.cpp - /completion /completions
POST llamacpp.infill       openai    llama.cpp - /infill
POST llamacpp.template     openai    llama.cpp - /apply-template
POST ollama.chat           ollama    ollama    - /api/chat
POST ollama.generate       ollama    ollama    - /api/generate
POST ollama.embed          ollama    ollama    - /api/embed /api/embeddings
GET  ollama.tags           ollama    ollama    u /api/tags /api/version
GET  health                generic   -         u / /health /ping /live /ready /healthz /v1/health /health_generate
GET  info                  generic   -         u /info /version /get_model_info /model_info
GET  models                openai    -         u /v1/models /models
GET  kserve.health         generic   -         u /v2/health/live /v2/health/ready
"""
)

_KSERVE: Final[Row] = ("kserve.infer", "tgi", "tgi", "")
_STORED: Final[Row] = ("openai.response", "openai", "vllm", "")
PATTERNS: Final[tuple[tuple[str, str, Row], ...]] = (
    ("POST", r"/v2/models/[\w.\-]{1,128}(?:/versions/[\w.\-]{1,64})?/infer", _KSERVE),
    ("GET", r"/v1/models/[\w.\-/:@]{1,256}", ("models", "openai", "", "u")),
    ("GET", r"/v1/responses/[\w\-]{1,128}", _STORED),
    ("POST", r"/v1/responses/[\w\-]{1,128}/cancel", _STORED),
)

ADMIN: Final = frozenset(
    _words("""
/pause /resume /is_paused /scale_elastic_ep /is_scaling_elastic_ep /update_weights /init_weight_transfer_engine
/abort_requests /abort_request /start_profile /stop_profile /sleep /wake_up /is_sleeping /collective_rpc
/reset_prefix_cache /reset_mm_cache /reset_encoder_cache /server_info /get_server_info /load /metrics /tokenizer_info
/get_load /v1/load_lora_adapter /v1/unload_lora_adapter /load_lora_adapter /unload_lora_adapter /v1/realtime
/flush_cache /update_weights_from_disk /update_weights_from_tensor /update_weights_from_distributed
/init_weights_update_group /get_weights_by_name /release_memory_occupation /resume_memory_occupation
/set_internal_state /freeze_gc /configure_logging /start_expert_distribution_record /stop_expert_distribution_record
/dump_expert_distribution_record /slow_down /props /slots /lora-adapters /tools /models/load /models/unload
/v1/chat/completions/control /load_model /reset /api/pull /api/push /api/create /api/copy /api/delete /api/show
/api/ps /docs /redoc /openapi.json /api-doc/openapi.json /v1/systemone /open_session /close_session
""")
)
DENIED_PREFIXES: Final = ("/_custom_router/", "/slots/", "/api/blobs/", "/update_weights", "/docs/", "/debug/")
