"""The official Python client. README.md says what it reads and writes."""

import asyncio
import importlib.metadata
import json
import sys
import urllib.parse

import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

MODES = {"legacy": "legacy", "modern": "2026-07-28"}


async def read():
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


def write(message):
    print(json.dumps(message), flush=True)


class Memory:
    """What a client keeps of its logins."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


def login(url, account):
    """A whole OAuth flow, with a provider that lets in whoever comes."""
    answers = asyncio.Queue()
    back = "http://127.0.0.1:1/callback"

    async def browse(address):
        async with httpx2.AsyncClient() as browser:
            address += "&" + urllib.parse.urlencode({"login_hint": account})
            while not address.startswith(back):
                address = urllib.parse.urljoin(address, (await browser.get(address)).headers["location"])
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        await answers.put(AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer.get("iss")))

    metadata = OAuthClientMetadata(client_name="tests", redirect_uris=[back], token_endpoint_auth_method="none")
    return OAuthClientProvider(url, metadata, Memory(), redirect_handler=browse, callback_handler=answers.get)


def server(task):
    """Where to connect, and by what the client says who it is."""
    if program := task.get("program"):
        return StdioServerParameters(**program)
    url = task["url"]
    if account := task.get("login"):
        return streamable_http_client(url, http_client=httpx2.AsyncClient(auth=login(url, account)))
    if headers := task.get("headers"):
        return streamable_http_client(url, http_client=httpx2.AsyncClient(headers=headers))
    return url


async def called(client, call):
    try:
        result = await client.call_tool(call["tool"], call["arguments"])
    except Exception as error:  # Whatever it is, the next call may do better.
        return {"failed": repr(error)}
    return {
        "structured": result.structured_content,
        "text": "".join(block.text for block in result.content),
        "isError": bool(result.is_error),
    }


async def main():
    task = await read()
    async with Client(server(task), mode=MODES[task["era"]]) as client:
        write({
            "library": importlib.metadata.version("mcp"),
            "protocol": client.protocol_version,
            "tools": [tool.name for tool in (await client.list_tools()).tools],
        })
        while call := await read():
            write(await called(client, call))


asyncio.run(main())
