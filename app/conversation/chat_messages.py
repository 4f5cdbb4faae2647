"""A conversation as the body of OpenAI's `POST /chat/completions`. Pure."""

from collections.abc import Iterator, Sequence

from app.conversation.items import FunctionCall, FunctionOutput, Item, Message
from app.conversation.language_model import ReplyRequest, Tool, ToolChoice

Json = dict[str, object]


def chat_body(model: str, request: ReplyRequest) -> Json:
    body: Json = {
        "model": model,
        "messages": list(_messages(request)),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _choice(request.tool_choice)
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    return body


def _messages(request: ReplyRequest) -> Iterator[Json]:
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    yield from _of_items(_answered(request.items))


def _answered(items: Sequence[Item]) -> list[Item]:
    """Without calls that have no result yet, and without results of no call: servers refuse a
    conversation that has one."""
    calls = {item.call_id for item in items if isinstance(item, FunctionCall)}
    results = {item.call_id for item in items if isinstance(item, FunctionOutput)}
    whole = calls & results
    return [item for item in items if isinstance(item, Message) or item.call_id in whole]


def _of_items(items: Sequence[Item]) -> Iterator[Json]:
    """Calls that follow one another are one message. A result stands directly behind its call,
    also where it was told later."""
    results = {item.call_id: item for item in items if isinstance(item, FunctionOutput)}
    calls: list[FunctionCall] = []
    for item in [*items, None]:
        if isinstance(item, FunctionCall):
            calls.append(item)
            continue
        if isinstance(item, FunctionOutput):
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": [_call(c) for c in calls]}
            for call in calls:
                result = results[call.call_id]
                yield {"role": "tool", "tool_call_id": call.call_id, "content": result.output}
            calls = []
        if item is not None and item.text:
            yield {"role": item.role, "content": item.text}


def _call(call: FunctionCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.call_id, "type": "function", "function": function}


def _tool(tool: Tool) -> Json:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> object:
    """A function that is named stands in an object of its own in this interface."""
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice.get("name", "")}}
