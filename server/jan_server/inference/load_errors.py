"""Why a model is not in memory, as a caller is told."""

from __future__ import annotations

from jan_engine import Cancelled, ModelNotFound, OutOfMemory
from jan_server.errors import ApiError
from jan_server.inference.resident import Resident

__all__ = ["given_up", "load_failure", "still_loading"]


def load_failure(model_id: str, error: Exception) -> ApiError:
    if isinstance(error, Cancelled):
        return given_up(model_id)
    if isinstance(error, OutOfMemory):
        return ApiError(503, "out_of_memory", f"'{model_id}' does not fit the memory: {error}")
    if isinstance(error, ModelNotFound):
        return ApiError(409, "not_downloaded", f"The file of '{model_id}' is gone")
    return ApiError(503, "load_failed", f"'{model_id}' cannot be loaded: {error}")


def given_up(model_id: str) -> ApiError:
    message = f"'{model_id}' was stopped before it was loaded"
    return ApiError(503, "service_unavailable", message, headers={"Retry-After": "1"})


def still_loading(resident: Resident) -> ApiError:
    done = resident.served.load_progress
    return ApiError(
        503,
        "model_not_ready",
        f"The model '{resident.id}' is being loaded",
        headers={"Retry-After": "5"},
        loading={"id": resident.id, "state": resident.state, "progress": round(done, 3)},
    )
