import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it, onTestFinished, vi } from "vitest";
import { DocumentFile } from "../src/document-file.ts";

const documentOf = (header: string) => `{"format":2,"header":"${header}","secrets":[],"anchors":[]}`;

async function makeFile(header: string) {
  const path = join(temporaryFolder(), "secrets.json");
  const file = new DocumentFile(path, 1000);
  writeFileSync(path, documentOf(header));
  return { path, file };
}

/** Sets the clock of this process forward. That of the file system goes on. */
function goForward(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

it("a file that has not changed is parsed once", async () => {
  const { file } = await makeFile("one");
  const first = await file.read();
  expect(await file.read()).toBe(first);
  goForward();
  expect(await file.read()).toBe(first);
  expect(await file.read()).toBe(first);
  await file.close();
});

it.each([
  ["written again in place", (path: string) => writeFileSync(path, documentOf("two"))],
  [
    "replaced",
    (path: string) => {
      writeFileSync(`${path}.new`, documentOf("two"));
      renameSync(`${path}.new`, path);
    },
  ],
])("one of the same size that was %s is parsed again", async (_, change) => {
  const { path, file } = await makeFile("one");
  goForward();
  expect((await file.read()).header).toBe("one");
  // As long as the clock of the file system makes no step, the time of a change in place is the same.
  const timeOfChange = () => statSync(path, { bigint: true }).ctimeNs;
  const before = timeOfChange();
  await expect
    .poll(() => {
      change(path);
      return timeOfChange();
    })
    .not.toBe(before);
  expect((await file.read()).header).toBe("two");
  await file.close();
});

it("changes in place of which many come in one step of the clock are all seen", async () => {
  const { path, file } = await makeFile("0000");
  for (let index = 1; index <= 200; index++) {
    const header = String(index).padStart(4, "0");
    writeFileSync(path, documentOf(header));
    expect((await file.read()).header).toBe(header);
  }
  expect(readFileSync(path, "utf8")).toContain("0200");
  await file.close();
});

it("an update starts from what is there, however often it was read", async () => {
  const { path, file } = await makeFile("one");
  goForward();
  await file.read();
  await file.update((document) => ({ ...document, header: "two" }));
  expect((await file.read()).header).toBe("two");
  const other = new DocumentFile(path, 1000);
  await other.update((document) => ({ ...document, header: `${document.header} three` }));
  await file.update((document) => ({ ...document, header: `${document.header} four` }));
  expect((await file.read()).header).toBe("two three four");
  await other.close();
  await file.close();
});
