"""What OpenAI and Anthropic answer, as JSON: whole answers, the pieces of streams, batches."""

from __future__ import annotations

from typing import Any

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
}
RESPONSES_USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 150,
}
ANTHROPIC_USAGE = {
    "input_tokens": 20,
    "output_tokens": 30,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 100,
}
EMBEDDING_USAGE = {"prompt_tokens": 8, "total_tokens": 8}
IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 4160,
    "total_tokens": 4210,
}
TRANSCRIPTION_USAGE = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
    "output_tokens": 45,
    "total_tokens": 59,
}
CREATED = 1_790_000_000
Json = dict[str, Any]


def chat_answer(model: str, text: str, usage: Json) -> Json:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "choices": [choice],
        "usage": usage,
    }


def tool_answer(model: str, name: str, usage: Json) -> Json:
    """A chat answer that calls a tool of the request."""
    answer = chat_answer(model, "", usage)
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    answer["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    answer["choices"][0]["finish_reason"] = "tool_calls"
    return answer


def chat_chunks(model: str, text: str, usage: Json | None) -> list[Json]:
    def chunk(delta: dict[str, str], reason: str | None) -> Json:
        head = {"id": "c", "object": "chat.completion.chunk", "created": CREATED, "model": model}
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**head, "choices": [choice], **({"usage": None} if usage else {})}

    chunks = [chunk({"role": "assistant", "content": ""}, None)]
    chunks += [chunk({"content": word}, None) for word in text.split()]
    chunks.append(chunk({}, "stop"))
    if usage:
        chunks.append({**chunks[-1], "choices": [], "usage": usage})
    return chunks


def response_answer(model: str, text: str, usage: Json, tier: str = "flex") -> Json:
    content = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "background": False,
        "model": model,
        "output": [{**item, "content": [content]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": tier,
        "usage": usage,
    }


def response_events(answer: Json, text: str) -> list[Json]:
    started = {**answer, "status": "in_progress", "output": [], "usage": None}
    message = {**answer["output"][0], "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": message},
        {"type": "response.content_part.added", **at, "part": part},
        {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []},
        {"type": "response.completed", "response": answer},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def message_answer(model: str, text: str, usage: Json) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def message_events(model: str, text: str, usage: Json) -> list[Json]:
    started = {**message_answer(model, text, usage), "content": [], "stop_reason": None}
    started["usage"] = {**usage, "output_tokens": 1}
    delta = {"type": "text_delta", "text": text}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    told = {"output_tokens": usage["output_tokens"]}
    return [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": told},
        {"type": "message_stop"},
    ]


def image_answer(usage: Json) -> Json:
    return {"created": CREATED, "data": [{"b64_json": "aGVsbG8="}], "usage": usage}


def embedding_answer(model: str, usage: Json) -> Json:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
    return {"object": "list", "data": [vector], "model": model, "usage": usage}


def openai_batch(name: str) -> Json:
    return {
        "id": name,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": "completed",
        "output_file_id": f"file-{name}",
        "created_at": CREATED - 3600,
        "completed_at": CREATED,
    }


def openai_batch_lines(model: str, text: str) -> list[Json]:
    """Two answers, one error, one that never ran."""
    head = {"id": "batch_req_1", "custom_id": "acme/1", "error": None}
    answer = {"status_code": 200, "request_id": "r", "body": chat_answer(model, text, CHAT_USAGE)}
    vector = {
        "status_code": 200,
        "body": embedding_answer("text-embedding-3-small", EMBEDDING_USAGE),
    }
    error = {"error": {"code": "context_length_exceeded", "message": text}}
    late = {"code": "batch_expired", "message": text}
    return [
        {**head, "response": answer},
        {**head, "id": "batch_req_2", "custom_id": "beta/2", "response": vector},
        {**head, "id": "batch_req_3", "response": {"status_code": 400, "body": error}},
        {**head, "id": "batch_req_4", "response": None, "error": late},
    ]


def anthropic_batch(name: str, url: str) -> Json:
    counts = {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 1}
    return {
        "id": name,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": counts,
        "created_at": "2026-09-20T10:00:00Z",
        "ended_at": "2026-09-20T11:00:00Z",
        "expires_at": "2026-09-21T10:00:00Z",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{url}/v1/messages/batches/{name}/results",
    }


def anthropic_batch_lines(model: str, text: str) -> list[Json]:
    message = message_answer(model, text, {**ANTHROPIC_USAGE, "service_tier": "batch"})
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
    return [
        {"custom_id": "acme/1", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "beta/2", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "c", "result": {"type": "errored", "error": error}},
        {"custom_id": "d", "result": {"type": "expired"}},
    ]
