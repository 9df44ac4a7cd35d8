// The Inspector in a browser, used as a person does: connect, pick a tool, fill in its form, execute, copy what it shows.
const { spawn } = require("node:child_process");
const { createServer } = require("node:net");
const { once } = require("node:events");
const { chromium } = require("playwright-core");
const { library, program, withHome } = require("./inspector.cjs");
const { answer, read, write } = require("./lines.cjs");

/** Far more than anything takes, on a busy machine. */
const PATIENCE_MS = 60_000;
const TOKEN = "tests";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return String(port);
}

/** Starts the page's server and returns its address once it says that it is there. */
async function serve(env, { url, era }) {
  const port = await freePort();
  const flags = ["--web", "--server-url", url, "--transport", "http", "--protocol-era", era];
  const server = spawn(process.execPath, [program, ...flags], {
    env: {
      ...env,
      HOST: "127.0.0.1",
      CLIENT_PORT: port,
      // Those two serve nothing here, but their usual ports may be taken.
      MCP_SANDBOX_PORT: await freePort(),
      MCP_APP_ORIGIN_PORT: await freePort(),
      MCP_AUTO_OPEN_ENABLED: "false",
      MCP_INSPECTOR_API_TOKEN: TOKEN,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => server.kill());
  await new Promise((ready) => server.stdout.on("data", (words) => String(words).includes("up and running") && ready()));
  return { page: `http://127.0.0.1:${port}/?MCP_INSPECTOR_API_TOKEN=${TOKEN}`, server };
}

/** Makes one call and copies its result. */
async function call(page, tool, given) {
  const main = page.getByRole("main");
  await main.getByText(tool, { exact: true }).first().click();
  for (const [name, value] of Object.entries(given)) {
    await main.getByRole("textbox", { name, exact: true }).fill(String(value));
  }
  await main.getByRole("button", { name: "Execute Tool" }).click();
  // The first is for the text, the second for the structured result; those of the messages beside them come later. A button that
  // was used has another name for a while: hence the second one first.
  const copy = main.getByRole("button", { name: "Copy" });
  const failure = main.getByRole("alert", { name: "Tool Error" });
  await main.getByRole("heading", { name: "Structured Output" }).or(failure).first().waitFor();
  const outcome = { structured: null, isError: await failure.isVisible() };
  if (outcome.isError) {
    outcome.text = await failure.innerText();
  } else {
    outcome.structured = JSON.parse(await copied(page, copy.nth(1)));
    outcome.text = await copied(page, copy.nth(0));
  }
  await main.getByRole("button", { name: "Close results" }).click();
  return outcome;
}

async function copied(page, button) {
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await button.click();
  const text = await page.waitForFunction(() => navigator.clipboard.readText());
  return text.jsonValue();
}

async function main() {
  const task = await read();
  await withHome(async (env) => {
    const { page: address, server } = await serve(env, task);
    const browser = await chromium.launch({
      executablePath: process.env.SANDBAR_CHROMIUM,
      // No sandbox, because that of Chromium refuses root; the page is the Inspector's own.
      args: ["--no-sandbox", "--no-zygote", "--disable-webgl"],
    });
    try {
      const permissions = ["clipboard-read", "clipboard-write"];
      // The browser knows no authority of tests; what talks to the server is the page's own server, which does.
      const ignoreHTTPSErrors = Boolean(task.login);
      const context = await browser.newContext({ permissions, ignoreHTTPSErrors, viewport: { width: 1500, height: 1000 } });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      await page.goto(address);
      // The switch lies under its picture, and shows that it is on once the connection is there: after a login, for which the page goes
      // elsewhere and comes back.
      await page.getByRole("switch", { name: "Connect or disconnect" }).click({ force: true });
      await page.getByRole("button", { name: "Disconnect from server" }).waitFor();
      const protocol = await page.getByRole("main").getByText(/^MCP \d{4}-\d{2}-\d{2}$/).innerText();
      await page.getByRole("radiogroup").first().getByText("Tools", { exact: true }).click();
      await page.getByRole("heading", { name: /^Tools \(\d+\)$/ }).waitFor();
      // A tool's button has its title and, below, its name.
      const names = page.getByRole("main").getByRole("button").locator("p:nth-of-type(2)");
      write({ library, protocol: protocol.slice("MCP ".length), tools: await names.allInnerTexts() });
      await answer((tool, given) => call(page, tool, given));
    } finally {
      await browser.close();
      server.kill();
    }
  });
}

main().then(() => process.exit());
