// Replicate's JavaScript client as a program: `node client.js COMMAND` reads arguments as JSON from standard input and
// prints the result as JSON. Base URL and token come from the environment, and nothing else is ours.
"use strict";

const fs = require("node:fs");
const Replicate = require("replicate");

const replicate = new Replicate({
  auth: process.env.REPLICATE_API_TOKEN,
  baseUrl: `${process.env.REPLICATE_BASE_URL}/v1`,
});

async function plain(value) {
  if (value instanceof ReadableStream) {
    return { base64: Buffer.from(await (await value.blob()).arrayBuffer()).toString("base64") };
  }
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (value && typeof value === "object") {
    const entries = Object.entries(value).map(async ([key, one]) => [key, await plain(one)]);
    return Object.fromEntries(await Promise.all(entries));
  }
  return value ?? null;
}

function withFiles(input, files) {
  const given = { ...input };
  for (const [name, path] of Object.entries(files ?? {})) given[name] = new File([fs.readFileSync(path)], "input.bin");
  return given;
}

const commands = {
  async run({ ref, input, files, mode }) {
    const seen = [];
    const options = { input: withFiles(input, files), wait: mode === "poll" ? { mode, interval: 50 } : { mode } };
    const output = await replicate.run(ref, options, (prediction) => seen.push(prediction));
    const progress = seen.map((one) => Replicate.parseProgressFromLogs(one)).filter(Boolean);
    return { output: await plain(output), progress: progress.map((one) => one.percentage) };
  },

  async predictions({ version, input }) {
    const created = await replicate.predictions.create({ version, input });
    const got = await replicate.predictions.get(created.id);
    const canceled = await replicate.predictions.cancel(created.id);
    const listed = await replicate.predictions.list();
    return { id: created.id, created: created.status, got: got.id, canceled: canceled.status, listed: ids(listed) };
  },

  async pages() {
    const seen = [];
    for await (const page of replicate.paginate(replicate.predictions.list)) seen.push(page.map((one) => one.id));
    return { pages: seen };
  },

  async stream({ ref, input }) {
    const events = [];
    for await (const event of replicate.stream(ref, { input })) events.push([event.event, event.data]);
    return { events };
  },

  async files({ path }) {
    const created = await replicate.files.create(fs.readFileSync(path), { ref: 7 });
    const got = await replicate.files.get(created.id);
    const listed = await replicate.files.list();
    const deleted = await replicate.files.delete(created.id);
    return { created, got: got.id, listed: ids(listed), deleted };
  },

  async models({ query }) {
    const model = await replicate.models.get("mutoscope", "echo");
    const version = await replicate.models.versions.get("mutoscope", "echo", model.latest_version.id);
    const versions = await replicate.models.versions.list("mutoscope", "echo");
    const found = await replicate.models.search(query);
    return {
      model: `${model.owner}/${model.name}`,
      version: version.id,
      inputs: Object.keys(version.openapi_schema.components.schemas.Input.properties),
      versions: ids(versions),
      listed: names(await replicate.models.list()),
      found: names(found),
    };
  },

  async deployment({ name, version, input }) {
    const options = { name, model: "mutoscope/echo", version, hardware: "cpu", min_instances: 0, max_instances: 1 };
    const created = await replicate.deployments.create(options);
    const updated = await replicate.deployments.update(created.owner, name, { max_instances: 3 });
    const got = await replicate.deployments.get(created.owner, name);
    const prediction = await replicate.deployments.predictions.create(created.owner, name, { input, wait: true });
    const listed = await replicate.deployments.list();
    const deleted = await replicate.deployments.delete(created.owner, name);
    return {
      numbers: [created, updated, got].map((one) => one.current_release.number),
      listed: names(listed),
      output: prediction.output,
      deleted,
    };
  },

  async training({ model, version, owner, name, input, make }) {
    if (make) await replicate.models.create(owner, name, { visibility: "private", hardware: "cpu" });
    const options = { destination: `${owner}/${name}`, input };
    const [trained, dropped] = [
      await replicate.trainings.create(...model.split("/"), version, options),
      await replicate.trainings.create(...model.split("/"), version, { ...options, input: { ...input, seconds: 300 } }),
    ];
    const canceled = await replicate.trainings.cancel(dropped.id);
    const done = await until(() => replicate.trainings.get(trained.id));
    const text = await replicate.run(done.output.version, { input: { prompt: "red", max_tokens: 3 } });
    const listed = await replicate.trainings.list();
    return { status: done.status, canceled: canceled.status, version: done.output.version, text, listed: ids(listed) };
  },

  async account() {
    const collections = await replicate.collections.list();
    const slug = collections.results[0].slug;
    const collection = await replicate.collections.get(slug);
    return {
      account: (await replicate.accounts.current()).type,
      hardware: (await replicate.hardware.list()).map((one) => one.sku),
      collections: collections.results.map((one) => one.slug),
      collection: [collection.slug, collection.models.length > 0],
    };
  },

  async webhook({ headers, body }) {
    const secret = (await replicate.webhooks.default.secret.get()).key;
    const check = (text) => Replicate.validateWebhook({ headers, body: text }, secret);
    return { good: await check(body), forged: await check(`${body} `) };
  },

  async refused({ ref, input }) {
    try {
      await replicate.run(ref, { input });
    } catch (error) {
      return { error: error.message };
    }
    return { error: null };
  },
};

function ids(page) {
  return page.results.map((one) => one.id);
}

function names(page) {
  return page.results.map((one) => `${one.owner}/${one.name}`);
}

async function until(read) {
  for (;;) {
    const shown = await read();
    if (!["starting", "processing"].includes(shown.status)) return shown;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const given = JSON.parse(fs.readFileSync(0, "utf8"));
commands[process.argv[2]](given).then((result) => process.stdout.write(JSON.stringify(result)));
