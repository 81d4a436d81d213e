"""llama-server inside Python, as xllamacpp has it: llama-server's flags for what is compared.

Run by an environment that has xllamacpp, which ours has not.
"""

from __future__ import annotations

import argparse
import signal
from importlib import import_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", required=True)
    parser.add_argument("-t", type=int, required=True)
    parser.add_argument("-np", type=int, required=True)
    parser.add_argument("-c", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = asked.m
    params.n_ctx, params.n_parallel, params.port = asked.c, asked.np, asked.port
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked.t
    server = xllamacpp.Server(params)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
