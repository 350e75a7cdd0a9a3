// fetch of Node with its defaults.
import { readFileSync } from "node:fs";

const [address, folder, paths, bodies] = process.argv.slice(2);

async function tell(question, response) {
  const body = Buffer.from(await response.arrayBuffer()).toString("base64");
  const length = response.headers.get("content-length") ?? "-";
  console.log([question, response.status, length, body].join("\t"));
}

for (const path of paths.split(",")) {
  for (const method of ["GET", "HEAD"]) {
    await tell(`${method} ${path}`, await fetch(address + path, { method }));
  }
}
for (const pair of bodies.split(",")) {
  const [name, kind] = pair.split("=");
  const body = readFileSync(`${folder}/${name}`);
  const headers = { "Content-Type": kind };
  await tell(name, await fetch(`${address}/v1/predict`, { method: "POST", headers, body }));
}
const form = new FormData();
form.append("files", new Blob([readFileSync(`${folder}/picture`)]), "picture.png");
await tell("form", await fetch(`${address}/v1/predict`, { method: "POST", body: form }));
