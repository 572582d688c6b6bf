"""Executors for coalitions on one machine; on a cluster, hand in Dask's `Client.get_executor()`."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Processes that start afresh: a forked copy of a program with threads can hang."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
