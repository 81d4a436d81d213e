# Mirrors csrc name for name. Nothing is decided here.
from libc.stdint cimport int64_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector


cdef extern from "error.h" namespace "jan" nogil:
    cdef enum class errc(int):
        pass

    cdef cppclass error:
        errc code
        string message
        string hint
        vector[pair[string, int64_t]] facts

    error current_error() noexcept


# Called by Cython inside the catch block of every `except +raise_jan_error`.
cdef int raise_jan_error() except -1 with gil


cdef extern from "log.h" namespace "jan" nogil:
    cdef enum class log_level(int):
        pass

    cdef cppclass log_record:
        log_level level
        string text

    vector[log_record] drain_log() except +raise_jan_error


cdef extern from "backend.h" namespace "jan" nogil:
    cdef enum class backend_status(int):
        pass

    cdef enum class device_kind(int):
        pass

    cdef cppclass backend_file:
        string path
        string name
        int score
        backend_status status
        string reason

    cdef cppclass device:
        string name
        string description
        string backend
        device_kind kind
        uint64_t memory_free
        uint64_t memory_total

    void load_backends(const string & folder) except +raise_jan_error
    vector[backend_file] backend_files() except +raise_jan_error
    vector[device] devices() except +raise_jan_error


cdef extern from "tensor_type.h" namespace "jan" nogil:
    cdef cppclass tensor_type:
        int id
        string name
        int64_t n_block
        uint64_t block_bytes

    vector[tensor_type] tensor_types() except +raise_jan_error


cdef extern from "vocab.h" namespace "jan" nogil:
    ctypedef int token

    cdef cppclass vocab_facts:
        string type
        int n_tokens
        token bos
        token eos
        token eot
        token sep
        token nl
        token pad
        token mask
        token fim_pre
        token fim_suf
        token fim_mid
        token fim_pad
        token fim_rep
        token fim_sep
        bool adds_bos
        bool adds_eos
        vector[token] end_of_generation

    cdef cppclass vocab:
        vocab_facts facts() except +raise_jan_error
        vector[token] tokenize(
            string_view text, bool add_special, bool parse_special
        ) except +raise_jan_error
        string detokenize(
            const vector[token] & tokens, bool remove_special, bool unparse_special
        ) except +raise_jan_error
        string piece(token id, bool special) except +raise_jan_error
        bool is_end_of_generation(token id) except +raise_jan_error


cdef extern from "<atomic>" namespace "std" nogil:
    cdef cppclass atomic_float "std::atomic<float>":
        float load()

    cdef cppclass atomic_bool "std::atomic<bool>":
        bool load()
        void store(bool value)


cdef extern from "model.h" namespace "jan" nogil:
    cdef cppclass load_options:
        string path
        bool mmap
        bool mlock
        bool check_tensors
        bool vocab_only
        bool repack
        int n_gpu_layers

    cdef cppclass load_progress:
        atomic_float fraction
        atomic_bool cancel

    cdef cppclass model_facts:
        string description
        string file_type
        uint64_t n_params
        uint64_t n_bytes
        bool vocab_only
        int n_ctx_train
        int n_embd
        int n_layer
        int n_head
        int n_head_kv
        int n_swa
        bool has_encoder
        bool has_decoder
        bool is_recurrent
        bool is_hybrid
        bool is_diffusion

    cdef cppclass model:
        @staticmethod
        shared_ptr[model] load(const load_options & options, load_progress & progress) except +raise_jan_error
        model_facts facts() except +raise_jan_error
        vector[pair[string, string]] metadata() except +raise_jan_error
        bool has_chat_template(const string & name) except +raise_jan_error
        string chat_template(const string & name) except +raise_jan_error
        vocab model_vocab "vocab"()


cdef extern from "runner.h" namespace "jan" nogil:
    cdef cppclass runner_options:
        int n_ctx
        int n_ubatch
        int n_threads

    cdef cppclass runner:
        runner(shared_ptr[model] source, const runner_options & options) except +raise_jan_error
        void feed(const vector[token] & tokens) except +raise_jan_error
        token argmax() except +raise_jan_error
        void cancel()
        void clear() except +raise_jan_error
        int n_past()
        int n_ctx()
        int n_threads()


cdef extern from "quantize.h" namespace "jan" nogil:
    cdef cppclass quantize_options:
        string source
        string target
        string type
        int n_threads
        bool requantize
        bool pure

    void quantize(const quantize_options & options, load_progress & progress) except +raise_jan_error
    vector[string] quantize_types() except +raise_jan_error
