"""Drives the official Python client: lists the tools, makes the calls that standard input names, and prints what came back.

Standard input: {"url", "mode": "legacy" or a protocol version, "calls": [{"tool", "arguments"}]}
Standard output: {"tools": [name], "results": [{"structured", "text", "isError"}]}
"""

import asyncio
import json
import sys

from mcp.client import Client


async def main():
    task = json.load(sys.stdin)
    async with Client(task["url"], mode=task["mode"]) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        results = []
        for call in task["calls"]:
            result = await client.call_tool(call["tool"], call["arguments"])
            results.append({
                "structured": result.structured_content,
                "text": "".join(block.text for block in result.content),
                "isError": bool(result.is_error),
            })
    json.dump({"tools": tools, "results": results}, sys.stdout)


asyncio.run(main())
