// The same script with Replicate's JavaScript client:
//
//     npm install replicate
//     node pictures.mjs "a lighthouse at dusk" out
//
// This client reads REPLICATE_API_TOKEN by itself, but not where to go, so that is said here.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import Replicate from "replicate";

const PAINTER = "mutoscope/painter"; // at Replicate: black-forest-labs/flux-schnell
const UPSCALER = "mutoscope/upscale"; // at Replicate: nightmareai/real-esrgan:VERSION
const JUDGE = "mutoscope/classify-safety"; // at Replicate: falcons-ai/nsfw_image_detection:VERSION
const WRITER = "mutoscope/scribe"; // at Replicate: meta/meta-llama-3-8b-instruct
const WRITER_INPUT = { max_tokens: 40, tokens_per_second: 10 }; // the speed is the local writer's own: leave it out there

const replicate = new Replicate({
  baseUrl: `${process.env.REPLICATE_BASE_URL ?? "https://api.replicate.com"}/v1`,
});

// Keeps a file that a model made. The client makes a FileOutput of a link to https; one to http is left a link.
async function save(output, file) {
  await writeFile(file, typeof output === "string" ? await download(output) : output);
  return file;
}

async function download(link) {
  const answer = await fetch(link);
  if (!answer.ok) throw new Error(`${link}: ${answer.status}`);
  return answer.body;
}

// Text to image.
async function paint(prompt, folder) {
  const [picture] = await replicate.run(PAINTER, { input: { prompt, num_outputs: 1, output_format: "png" } });
  return save(picture, path.join(folder, "picture.png"));
}

// A file of this machine as input: the client uploads it.
async function enlarge(picture, folder) {
  const larger = await replicate.run(UPSCALER, { input: { image: await readFile(picture), scale: 2 } });
  return save(larger, path.join(folder, "larger.png"));
}

// A file as input, and no file as output.
async function judge(picture) {
  return replicate.run(JUDGE, { input: { image: await readFile(picture) } });
}

// Text, shown as it comes. Gives the number of pieces.
async function tell(prompt) {
  let pieces = 0;
  for await (const event of replicate.stream(WRITER, { input: { prompt, ...WRITER_INPUT } })) {
    process.stdout.write(`${event}`);
    if (`${event}` !== "") pieces += 1;
  }
  process.stdout.write("\n");
  return pieces;
}

const [prompt, folder = "."] = process.argv.slice(2);
if (!prompt) throw new Error("Say what to paint: node pictures.mjs PROMPT [FOLDER]");
await mkdir(folder, { recursive: true });

const picture = await paint(prompt, folder);
console.log(`painted: ${picture}`);
console.log(`enlarged: ${await enlarge(picture, folder)}`);
console.log(`judged: ${JSON.stringify(await judge(picture))}`);
console.log(`told in ${await tell(prompt)} pieces`);
