"""Every flag of the pinned llama-server, and some that older ones had.

docs/migrating-from-llama-server.md is made from this table by page.py, and a test compares it with
upstream's source. flag.py says how a row is read.
"""

from __future__ import annotations

from jan_server.cli.llama_server import values as to
from jan_server.cli.llama_server.flag import Fate, Flag, mapped, read_reasons, read_taken

__all__ = ["FLAGS", "OLDER"]

_TAKEN = """
    -m --model FNAME =MODEL > --model
    -hf -hfr --hf-repo REPO[:QUANT] =HF_REPO > --hf-repo
    -hff --hf-file FILE =HF_FILE > --hf-file
    -mu --model-url URL =MODEL_URL > --model
    -a --alias STRING =ALIAS > --alias
    --check-tensors > --check-tensors
    -nr --no-repack =!REPACK > --no-repack
    --repack =REPACK > --repack
    --lora-init-without-apply > --lora-init-without-apply
    --models-dir PATH =MODELS_DIR > --models-dir
    --models-max N =MODELS_MAX > --models-max
    --offline =OFFLINE > --offline
    -c --ctx-size N =CTX_SIZE > --ctx-size
    -ub --ubatch-size N =UBATCH > --ubatch-size
    -ctk --cache-type-k TYPE =CACHE_TYPE_K > --cache-type
    -ctv --cache-type-v TYPE =CACHE_TYPE_V > --cache-type-v
    --context-shift =CONTEXT_SHIFT > --context-shift
    --no-context-shift =!CONTEXT_SHIFT > --no-context-shift
    -t --threads N =THREADS > --threads
    --temp --temperature N =TEMPERATURE > --temperature
    --top-k N =TOP_K > --top-k
    --top-p N =TOP_P > --top-p
    --min-p N =MIN_P > --min-p
    --repeat-penalty N =REPEAT_PENALTY > --repeat-penalty
    --presence-penalty N =PRESENCE_PENALTY > --presence-penalty
    --frequency-penalty N =FREQUENCY_PENALTY > --frequency-penalty
    --chat-template JINJA_TEMPLATE =CHAT_TEMPLATE > --chat-template
    --chat-template-file FILE =CHAT_TEMPLATE_FILE > --chat-template-file
    --reasoning-format FORMAT =THINK > --reasoning-format
    --chat-template-kwargs STRING =CHAT_TEMPLATE_KWARGS > --chat-template-kwargs
    -n --predict --n-predict N =N_PREDICT > --n-predict
    --spm-infill > --spm-infill
    --host HOST =HOST > --host
    --port PORT =PORT > --port
    --api-key-file FNAME =API_KEY_FILE > --api-key-file
    --ssl-key-file FNAME =SSL_KEY_FILE > --ssl-keyfile
    --ssl-cert-file FNAME =SSL_CERT_FILE > --ssl-certfile
    -h --help --usage > --help
"""
_UNUSED = """
nothing shows tags:
    --tags STRING =TAGS
tables of this kind are read from the mapped file as they are needed:
    -lzm --lazy-mode MODE =LAZY_MODE
a request that names a model loads it:
    --models-autoload =MODELS_AUTOLOAD
what a pass costs decides how much of a prompt is in it:
    -b --batch-size N =BATCH
a sliding window's cache always has its full size here:
    --swa-full =SWA_FULL
the engine keeps prefixes in its cache by itself, for every request, and sizes it by memory:
    -kvu --kv-unified / -no-kvu --no-kv-unified =KV_UNIFIED
    -cram --cache-ram N =CACHE_RAM
    -ctxcp --ctx-checkpoints --swa-checkpoints N =CTX_CHECKPOINTS
    -cms --checkpoint-min-step N =CHECKPOINT_MIN_SPACING_NT
    --cache-idle-slots / --no-cache-idle-slots =CACHE_IDLE_SLOTS
    --cache-prompt =CACHE_PROMPT
    --cache-reuse N =CACHE_REUSE
    -sps --slot-prompt-similarity SIMILARITY
    -dt --defrag-thold N =DEFRAG_THOLD
one pool of threads computes every pass; `--threads` sets its size:
    -tb --threads-batch N
the operating system places threads; `taskset` and `numactl` limit them:
    -C --cpu-mask M
    -Cr --cpu-range lo-hi
    --cpu-strict <0|1>
    --prio N
    -Cb --cpu-mask-batch M
    -Crb --cpu-range-batch lo-hi
    --cpu-strict-batch <0|1>
    --prio-batch N
    --numa TYPE =NUMA
workers wait as long as it pays:
    --poll <0...100>
    --poll-batch <0|1>
one thread serves every connection:
    --threads-http N =THREADS_HTTP
the cache is where its layers are:
    -kvo --kv-offload =KV_OFFLOAD
the cache is sized by free memory, layers by `--n-gpu-layers`:
    -fit --fit [on|off] =FIT
    -fitt --fit-target MiB0,MiB1,... =FIT_TARGET
    -fitc --fit-ctx N =FIT_CTX
llama.cpp's own choice stands:
    --no-host =NO_HOST
    --op-offload / --no-op-offload
    -bs --backend-sampling =BACKEND_SAMPLING
it is of draft models, and there are none:
    --spec-draft-threads -td --threads-draft N
    --spec-draft-threads-batch -tbd --threads-batch-draft N
    --spec-draft-cpu-mask -Cd --cpu-mask-draft M
    --spec-draft-cpu-range -Crd --cpu-range-draft lo-hi
    --spec-draft-cpu-strict --cpu-strict-draft <0|1>
    --spec-draft-prio --prio-draft N
    --spec-draft-poll --poll-draft <0|1>
    --spec-draft-cpu-mask-batch -Cbd --cpu-mask-batch-draft M
    --spec-draft-cpu-strict-batch --cpu-strict-batch-draft <0|1>
    --spec-draft-prio-batch --prio-batch-draft N
    --spec-draft-poll-batch --poll-batch-draft <0|1>
    --spec-draft-type-k -ctkd --cache-type-k-draft TYPE =SPEC_DRAFT_CACHE_TYPE_K
    --spec-draft-type-v -ctvd --cache-type-v-draft TYPE =SPEC_DRAFT_CACHE_TYPE_V
    --spec-draft-override-tensor -otd --override-tensor-draft PATTERN=BUFFER,...
    --spec-draft-cpu-moe -cmoed --cpu-moe-draft =SPEC_DRAFT_CPU_MOE
    --spec-draft-n-cpu-moe --spec-draft-ncmoe -ncmoed --n-cpu-moe-draft N =SPEC_DRAFT_N_CPU_MOE
    --spec-draft-p-split --draft-p-split P =SPEC_DRAFT_P_SPLIT
    --spec-draft-p-min --draft-p-min P =SPEC_DRAFT_P_MIN
    --spec-draft-backend-sampling / --no-spec-draft-backend-sampling =SPEC_DRAFT_BACKEND_SAMPLING
    --spec-draft-sampling KIND =SPEC_DRAFT_SAMPLING
    --spec-draft-device -devd --device-draft DEVICES
    --spec-draft-ngl -ngld --gpu-layers-draft --n-gpu-layers-draft N =N_GPU_LAYERS_DRAFT
guesses come from the text so far, as many as pay: they have no settings:
    --spec-draft-n-max N =SPEC_DRAFT_N_MAX
    --spec-draft-n-min N =SPEC_DRAFT_N_MIN
    --draft --draft-n --draft-max N =DRAFT_MAX
    --draft-min --draft-n-min N =DRAFT_MIN
    --spec-ngram-mod-n-min N
    --spec-ngram-mod-n-max N
    --spec-ngram-mod-n-match N
    --spec-ngram-simple-size-n N
    --spec-ngram-simple-size-m N
    --spec-ngram-simple-min-hits N
    --spec-ngram-map-k-size-n N
    --spec-ngram-map-k-size-m N
    --spec-ngram-map-k-min-hits N
    --spec-ngram-map-k4v-size-n N
    --spec-ngram-map-k4v-size-m N
    --spec-ngram-map-k4v-min-hits N
    --spec-ngram-size-n N
    --spec-ngram-size-m N
    --spec-ngram-min-hits N
templates are always run as Jinja:
    --jinja =JINJA
templates are given every message's reasoning:
    --reasoning-preserve =REASONING_PRESERVE
answers are always read:
    --no-skip-chat-parsing =!SKIP_CHAT_PARSING
a last message of the assistant's is continued:
    --prefill-assistant =PREFILL_ASSISTANT
texts are taken as they are:
    -e --escape / --no-escape
every model that can is asked for vectors and scores:
    --embedding --embeddings =EMBEDDINGS
    --rerank --reranking =RERANKING
models here read and write text only:
    --mmproj-auto / --no-mmproj --no-mmproj-auto =MMPROJ_AUTO
    --mmproj-offload / --no-mmproj-offload =MMPROJ_OFFLOAD
    -mmdev --mmproj-device DEVICE
    --image-min-tokens N =IMAGE_MIN_TOKENS
    --image-max-tokens N =IMAGE_MAX_TOKENS
    --mtmd-batch-max-tokens N =MTMD_BATCH_MAX_TOKENS
    --video-fps N =VIDEO_FPS
    --video-timestamp-interval N =VIDEO_TIMESTAMP_INTERVAL
    --video-ffmpeg-dir DIR =VIDEO_FFMPEG_DIR
a caller that leaves ends its request at once:
    -to --timeout N =TIMEOUT
a welcome page may send whatever the API reads:
    --cors-methods METHODS =CORS_METHODS
    --cors-headers HEADERS =CORS_HEADERS
    --cors-credentials / --no-cors-credentials =CORS_CREDENTIALS
the page at / has no settings from here:
    --ui-config --webui-config JSON =UI_CONFIG
    --ui-config-file --webui-config-file PATH =UI_CONFIG_FILE
the server runs no tools and proxies nothing:
    --no-ui-mcp-proxy --no-webui-mcp-proxy =!UI_MCP_PROXY
    -no-ag --no-agent =!AGENT
/metrics is always there:
    --metrics =ENDPOINT_METRICS
/slots is always there; it shows no prompts:
    --slots / --no-slots =ENDPOINT_SLOTS
/props is read only, as llama-server's own:
    --props =ENDPOINT_PROPS
every request joins the passes that run:
    -cb --cont-batching =CONT_BATCHING
the engine times a few passes before the first request:
    --warmup / --no-warmup
/metrics has the times:
    --perf / --no-perf =PERF
lines on stderr have one form; `--log-format json` has another:
    --log-colors [on|off|auto] =LOG_COLORS
    --log-prefix / --no-log-prefix =LOG_PREFIX
    --log-timestamps / --no-log-timestamps =LOG_TIMESTAMPS
"""
_REFUSED = """
a key on a command line is read by everybody here; set HF_TOKEN:
    -hft --hf-token TOKEN
models come from a hub (`-hf`), an address or a file:
    -dr --docker-repo REPO =DOCKER_REPO
metadata are as the file has them:
    --override-kv KEY=TYPE:VALUE,...
there are no control vectors; `--lora` adapts a model:
    --control-vector FNAME
    --control-vector-scaled FNAME:SCALE,...
    --control-vector-layer-range START END
a request that names a model always loads it:
    --no-models-autoload =!MODELS_AUTOLOAD
`jan set MODEL` keeps a model's settings:
    --models-preset PATH =MODELS_PRESET
say instead:
    --embd-gemma-default > -hf ggml-org/embeddinggemma-300M-qat-q4_0-GGUF
    --fim-qwen-1.5b-default > -hf ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF
    --fim-qwen-3b-default > -hf ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF
    --fim-qwen-7b-default > -hf ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF
    --fim-qwen-7b-spec > -hf ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF
    --fim-qwen-14b-spec > -hf ggml-org/Qwen2.5-Coder-14B-Q8_0-GGUF
    --fim-qwen-30b-default > -hf ggml-org/Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF
    --gpt-oss-20b-default > -hf ggml-org/gpt-oss-20b-GGUF
    --gpt-oss-120b-default > -hf ggml-org/gpt-oss-120b-GGUF
    --vision-gemma-4b-default > -hf ggml-org/gemma-3-4b-it-qat-GGUF
    --vision-gemma-12b-default > -hf ggml-org/gemma-3-12b-it-qat-GGUF
a request says it, in the field of this name:
    --no-cache-prompt =!CACHE_PROMPT > cache_prompt
    --keep N ?0 > n_keep
    -s --seed SEED ?-1 > seed
    --samplers SAMPLERS > samplers
    --sampler-seq --sampling-seq SEQUENCE > samplers
    --ignore-eos > ignore_eos
    --top-nsigma --top-n-sigma N ?-1 > top_n_sigma
    --xtc-probability N ?0 > xtc_probability
    --xtc-threshold N ?0.1 > xtc_threshold
    --typical --typical-p N ?1 > typical_p
    --repeat-last-n N ?64 > repeat_last_n
    --dry-multiplier N ?0 > dry_multiplier
    --dry-base N ?1.75 > dry_base
    --dry-allowed-length N ?2 > dry_allowed_length
    --dry-penalty-last-n N ?-1 > dry_penalty_last_n
    --dry-sequence-breaker STRING > dry_sequence_breakers
    --dynatemp-range N ?0 > dynatemp_range
    --dynatemp-exp N ?1 > dynatemp_exponent
    --mirostat N ?0 > mirostat
    --mirostat-lr N ?0.1 > mirostat_eta
    --mirostat-ent N ?5 > mirostat_tau
    -l --logit-bias TOKEN_ID(+/-)BIAS > logit_bias
    --grammar GRAMMAR > grammar
    --grammar-file FNAME > grammar
    -j --json-schema SCHEMA > json_schema
    -jf --json-schema-file FILE > json_schema
    -r --reverse-prompt PROMPT > stop
    --reasoning-effort LEVEL ?default =REASONING_EFFORT > reasoning_effort
    --no-prefill-assistant =!PREFILL_ASSISTANT > add_generation_prompt
the cache stays in memory:
    --slot-save-path PATH =SLOT_SAVE_PATH
weights are placed by `--n-gpu-layers` alone:
    -dev --device DEVICES =DEVICE
    -sm --split-mode MODE ?layer =SPLIT_MODE
    -ts --tensor-split N0,N1,... =TENSOR_SPLIT
    -mg --main-gpu INDEX ?0 =MAIN_GPU
    -ot --override-tensor PATTERN=BUFFER,... =OVERRIDE_TENSOR
    -cmoe --cpu-moe =CPU_MOE
    -ncmoe --n-cpu-moe N ?0 =N_CPU_MOE
    -ncffn --n-cpu-ffn N ?0 =N_CPU_FFN
    --moe-cache-mib N ?0 =MOE_CACHE_MIB
    -nkvo --no-kv-offload =!KV_OFFLOAD
`jan doctor` shows them:
    --list-devices
ggml's RPC executes what it is sent:
    --rpc SERVERS =RPC
positions are scaled as the file says:
    --rope-scaling MODE =ROPE_SCALING_TYPE
    --rope-scale N =ROPE_SCALE
    --rope-freq-base N =ROPE_FREQ_BASE
    --rope-freq-scale N =ROPE_FREQ_SCALE
    --yarn-orig-ctx N ?0 =YARN_ORIG_CTX
    --yarn-ext-factor N ?-1 =YARN_EXT_FACTOR
    --yarn-attn-factor N ?-1 =YARN_ATTN_FACTOR
    --yarn-beta-slow N ?-1 =YARN_BETA_SLOW
    --yarn-beta-fast N ?-1 =YARN_BETA_FAST
there are no draft models; `--speculation` guesses from the text so far:
    --spec-draft-model -md --model-draft FNAME =SPEC_DRAFT_MODEL
    --spec-draft-hf -hfd -hfrd --hf-repo-draft REPO =SPEC_DRAFT_HF_REPO
    -lcs --lookup-cache-static FNAME
    -lcd --lookup-cache-dynamic FNAME
    --spec-synth-len L =SPEC_SYNTH_LEN
    --spec-synth-rates P0,P1,... =SPEC_SYNTH_RATES
there is no adaptive-p sampler:
    --adaptive-target N ?-1
    --adaptive-decay N ?0.9
templates are always run as Jinja:
    --no-jinja =!JINJA
a request limits its thinking:
    --reasoning-budget-message TEXT =THINK_BUDGET_MESSAGE
templates are given every message's reasoning:
    --no-reasoning-preserve =!REASONING_PRESERVE
answers are read as their template writes them; `--reasoning-format none` leaves reasoning in:
    --skip-chat-parsing =SKIP_CHAT_PARSING
special tokens are not text:
    -sp --special
vectors have length one:
    --embd-normalize N ?2
models here read and write text only:
    -mm --mmproj FILE =MMPROJ
    -mmu --mmproj-url URL =MMPROJ_URL
    --media-path PATH
two servers on one port would take turns at random:
    --reuse-port =REUSE_PORT
let a proxy take the prefix off:
    --api-prefix PREFIX =API_PREFIX
the server has one page, at /:
    --path PATH =STATIC_PATH
the server runs no tools and proxies nothing:
    --ui-mcp-proxy --webui-mcp-proxy =UI_MCP_PROXY
    --tools TOOL1,TOOL2,... =TOOLS
    --tools-runtime OPTION =TOOLS_RUNTIME
    --mcp-servers-config PATH =MCP_SERVERS_CONFIG
    --mcp-servers-json JSON =MCP_SERVERS_JSON
    -ag --agent =AGENT
every request joins the passes that run:
    -nocb --no-cont-batching =!CONT_BATCHING
lines go to stderr: `2> FILE`:
    --log-file FNAME =LOG_FILE
prompts are not kept:
    --log-prompts-dir PATH
`jan --version` shows it:
    --version
`jan list` shows them:
    -cl --cache-list
`jan completions bash` prints it:
    --completion-bash
"""

_MAPPED = [
    mapped("-lm --load-mode MODE =LOAD_MODE", "`--load-mode`; auto is our default", to.load_mode),
    mapped("--lora FNAME,...", "`--lora`, once for each", lambda v: to.each("--lora", v)),
    mapped("--lora-scaled FNAME:SCALE,...", "`--lora`, once each", lambda v: to.each("--lora", v)),
    mapped(
        "--sleep-idle-seconds N",
        "`--keep-alive`, of models that requests name; one on the command line stays",
        lambda v: [f"--keep-alive={v}"],
    ),
    mapped(
        "--kv-unified-per-slot N =KV_UNIFIED_PER_SLOT",
        "`--ctx-size`",
        lambda v: [f"--ctx-size={v}"],
    ),
    mapped("-np --parallel N =N_PARALLEL", "`--parallel`; -1 is our default", to.parallel),
    mapped("-fa --flash-attn [on|off|auto] =FLASH_ATTN", "`--flash-attn`", to.flash),
    mapped(
        "-ngl --gpu-layers --n-gpu-layers N =N_GPU_LAYERS",
        "`--n-gpu-layers`; auto and all are -1",
        to.layers,
    ),
    mapped(
        "--spec-type TYPES =SPEC_TYPE",
        "`--no-speculation` for none, `--speculation` for ngram-...; refused for draft-...",
        to.speculation,
    ),
    mapped("--spec-default", "`--speculation`", lambda _: ["--speculation"]),
    mapped("-rea --reasoning [on|off|auto] =REASONING", "`--reasoning`", to.reasoning),
    mapped(
        "--reasoning-budget TOKENS =THINK_BUDGET",
        "`--reasoning off` for 0, nothing for -1; else refused: a request limits its thoughts",
        to.budget,
    ),
    mapped("--pooling KIND =POOLING", "`--pooling`; refused for none", to.pooling),
    mapped("--api-key KEY,... =LLAMA_API_KEY", "`--api-key`", lambda v: to.each("--api-key", v)),
    mapped("--sse-ping-interval N =SSE_PING_INTERVAL", "`--ping-s`; -1 is a year", to.ping),
    mapped(
        "--cors-origins ORIGINS =CORS_ORIGINS",
        "`--cors-origin`, once for each; pages on this machine may always call",
        to.origins,
    ),
    mapped("--ui --webui =UI", "`--ui`", lambda _: ["--ui"]),
    mapped("--no-ui --no-webui =!UI", "`--no-ui`", lambda _: ["--no-ui"]),
    mapped("-v --verbose --log-verbose", "`--log-level debug`", lambda _: ["--log-level=debug"]),
    mapped("-lv --verbosity --log-verbosity N =LOG_VERBOSITY", "`--log-level`", to.verbosity),
    mapped(
        "--log-disable",
        "`--no-log-requests --log-level error`",
        lambda _: ["--no-log-requests", "--log-level=error"],
    ),
    mapped("--log-jsonl =LOG_JSONL", "`--log-format json`", lambda _: ["--log-format=json"]),
    mapped("--no-log-jsonl =!LOG_JSONL", "`--log-format human`", lambda _: ["--log-format=human"]),
]

FLAGS: list[Flag] = [
    *read_taken(_TAKEN),
    *_MAPPED,
    *read_reasons(_UNUSED, Fate.UNUSED),
    *read_reasons(_REFUSED, Fate.REFUSED),
]
OLDER: list[Flag] = [
    mapped("--mlock =MLOCK", "`--load-mode mmap+mlock`", lambda _: ["--load-mode=mmap+mlock"]),
    mapped("--mmap", "`--load-mode mmap`", lambda _: ["--load-mode=mmap"]),
    mapped("--no-mmap =NO_MMAP", "`--load-mode none`", lambda _: ["--load-mode=none"]),
    mapped("--log-format FORMAT", "`--log-format`; text is human", to.log_form),
    *read_reasons("files are mapped or read:\n    -dio --direct-io / --no-direct-io", Fate.UNUSED),
]
