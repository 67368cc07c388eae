// On Chromium: the package's files as they are, found by an import map.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { chromium } from "playwright-core";

const [, , checkout, executablePath] = process.argv;
const types = { ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };
const page = `<!doctype html><script type="importmap">{"imports":{"portcullis":"/node_modules/portcullis/dist/entry/browser.js"}}</script>`;
const server = createServer(({ url }, response) => {
  if (url === "/") return response.setHeader("content-type", "text/html").end(page);
  try {
    const bytes = readFileSync(new URL(`.${url}`, import.meta.url));
    response.setHeader("content-type", types[extname(url)] ?? "text/plain").end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args });
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  const count = await tab.evaluate(async () => {
    const [portcullis, { suite }, vectors] = await Promise.all([import("portcullis"), import("/suite.mjs"), fetch("/vectors.json").then((answer) => answer.json())]);
    return suite(portcullis, vectors);
  });
  console.log(count);
} finally {
  await browser.close();
  server.close();
}
