"""An MCP server of the official Python SDK over WebSocket: `python server.py PORT`.

It prints its port as soon as it takes connections. A port of 0 is any free one.
"""

import asyncio
import json
import logging
import socket
import sys
import warnings

import mcp.types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server

warnings.filterwarnings("ignore", category=DeprecationWarning)
from mcp.server.websocket import websocket_server  # noqa: E402

# It warns of each request that it refuses, at length.
logging.disable(logging.WARNING)
server = Server("websocket-peer", version="1.0.0")
TOOLS = ["echo", "steps", "ask", "sample", "hang"]


@server.list_tools()
async def list_tools():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [types.Tool(name=name, description=name, inputSchema=schema) for name in TOOLS]


@server.call_tool()
async def call_tool(name, arguments):
    context = server.request_context
    session = context.session
    if name == "echo":
        text = arguments["text"]
    elif name == "steps":
        for step in (1, 2, 3):
            await session.send_progress_notification(context.meta.progressToken, step, 3)
        text = "done"
    elif name == "ask":
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        answer = await session.elicit("Who are you?", schema)
        text = json.dumps({"action": answer.action, "content": answer.content})
    elif name == "sample":
        content = types.TextContent(type="text", text="2 + 2?")
        messages = [types.SamplingMessage(role="user", content=content)]
        answer = await session.create_message(messages, max_tokens=10)
        text = answer.content.text
    else:
        print("hangs", flush=True)
        await asyncio.Event().wait()
    return [types.TextContent(type="text", text=text)]


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return
    options = server.create_initialization_options(NotificationOptions())
    async with websocket_server(scope, receive, send) as (incoming, outgoing):
        await server.run(incoming, outgoing, options)


async def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.listen()
    print(f"port {listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(application, lifespan="off", log_level="warning")
    await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
