// The page on the port for Prometheus in a browser: how it looks on a phone and on a desk, in the light and in the dark, and whether anything runs
// in it, is asked for elsewhere or is refused by its policy. One line per look, as JSON; with a file's name, a picture of the last look.
const { chromium } = require("playwright-core");
const { read, write } = require("./lines.cjs");

/** Far more than anything takes, on a busy machine. */
const PATIENCE_MS = 60_000;

/** What is seen of an element's colours, as a ratio of contrast (WCAG 2), for each text on the page; and how wide all of it is. */
function look() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color[3] === undefined || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let leastContrast = Infinity;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))];
    leastContrast = Math.min(leastContrast, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
  }
  const { scrollWidth, clientWidth } = document.scrollingElement;
  const table = document.querySelector("table");
  return {
    scrollWidth,
    clientWidth,
    leastContrast,
    text: document.body.innerText,
    foreign: document.querySelectorAll("script, img, iframe, form, object, embed, [style], [onerror], [onload]").length,
    headers: table ? [...table.querySelectorAll("thead th")].map((header) => header.scope) : [],
    ran: globalThis.ran === true,
  };
}

async function main() {
  const { url, picture, looks } = await read();
  const browser = await chromium.launch({
    executablePath: process.env.SANDBAR_CHROMIUM,
    // No sandbox, because that of Chromium refuses root; the page is ours.
    args: ["--no-sandbox", "--no-zygote", "--disable-webgl", "--font-render-hinting=none"],
  });
  try {
    for (const { width, height, dark, scripts, open } of looks) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: dark ? "dark" : "light",
        javaScriptEnabled: scripts !== false,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const [said, requests] = [[], []];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      page.on("dialog", (dialog) => (said.push(`dialog ${dialog.message()}`), dialog.dismiss()));
      page.on("request", (request) => requests.push(request.url()));
      const response = await page.goto(url);
      if (open) await page.locator("summary").nth(open - 1).click();
      // What the driver runs is no part of the page, and its policy does not hold for it.
      const seen = scripts === false ? { text: await page.locator("body").innerText() } : await page.evaluate(look);
      write({ status: response.status(), bytes: (await response.body()).length, said, requests: requests.filter((asked) => !asked.startsWith("data:")), ...seen });
      if (picture) await page.screenshot({ path: picture });
      await context.close();
    }
  } finally {
    await browser.close();
  }
}

main().then(() => process.exit());
