// LiteRT.js as an engine behind a pipe: one .tflite model after another on its WebAssembly build.
//
// Usage: node litert_js.mjs DIR
//   DIR  holds litert_wasm_compat_internal.cjs and .wasm of npm's @litertjs/core 2.5.3
//        (scripts/fetch.sh: build/third_party/litert-js)
//
// The protocol over standard input and output is that of open_external_engine() in
// conformance/inference_engine.h. Needs node 18 or later.
//
// The WebAssembly module is driven directly: the package's own JavaScript wants a browser and takes
// no int8 tensors. It is its "compat" build, one thread and no relaxed SIMD instructions, whose
// results would depend on the machine.
import { readFileSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const NAME = 'LiteRT.js 2.5.3 (compat)';
const MAXIMUM_BLOCK_BYTES = 2 ** 30;
const MAXIMUM_INPUTS = 2 ** 12;
const MAXIMUM_REASON_BYTES = 2 ** 12;

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

// Reading and writing are synchronous and go past process.stdin and process.stdout, which would make
// both ends of the pipe non-blocking.

// `count` bytes; null where the input ends before the first of them.
function readBytes(count) {
  const bytes = Buffer.alloc(count);
  let filled = 0;
  while (filled < count) {
    const read = readSync(STANDARD_INPUT, bytes, filled, count - filled, null);
    if (read === 0) {
      if (filled === 0) return null;
      throw new Error(`the input ends after ${filled} of ${count} bytes`);
    }
    filled += read;
  }
  return bytes;
}

function required(bytes) {
  if (bytes === null) throw new Error('the input ends within a request');
  return bytes;
}

function toNumber(bytes, maximum) {
  const number = bytes.readUInt32LE();
  if (number > maximum) throw new Error(`${number} where at most ${maximum} can be`);
  return number;
}

const readNumber = (maximum) => toNumber(required(readBytes(4)), maximum);

function readBlock(size) {
  return size === 0 ? Buffer.alloc(0) : required(readBytes(size));
}

// {model, inputs}; null at the end of the input.
function readRequest() {
  const head = readBytes(4);
  if (head === null) return null;
  const model = readBlock(toNumber(head, MAXIMUM_BLOCK_BYTES));
  const inputs = [];
  for (let remaining = readNumber(MAXIMUM_INPUTS); remaining > 0; --remaining) {
    inputs.push(readBlock(readNumber(MAXIMUM_BLOCK_BYTES)));
  }
  return { model, inputs };
}

function writeBytes(bytes) {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(STANDARD_OUTPUT, bytes, written, bytes.length - written);
  }
}

function numberBytes(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

const blockBytes = (bytes) => [numberBytes(bytes.length), bytes];

function writeOutputs(outputs) {
  writeBytes(Buffer.concat([numberBytes(0), numberBytes(outputs.length),
                            ...outputs.flatMap(blockBytes)]));
}

function writeRefusal(reason) {
  const text = Buffer.from(reason).subarray(0, MAXIMUM_REASON_BYTES);
  writeBytes(Buffer.concat([numberBytes(1), ...blockBytes(text)]));
}

// What the engine logs but for mere information. Its exceptions only say that something failed, and
// where it cannot prepare a model it logs that, throws nothing and gives zeros.
class Log {
  #errors = [];

  add(line) {
    if (line.startsWith('INFO: ')) return;
    if (line.startsWith('ERROR: ')) this.#errors.push(line.slice('ERROR: '.length));
    writeSync(STANDARD_ERROR, `${line}\n`);
  }
  // Errors since the last call.
  take() {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }
}

// Instances of the module, made anew where one has aborted or trapped: its memory is in no state to
// go on with.
class Engine {
  #factory;
  #code;
  #instance = null;
  #broken = false;
  log = new Log();

  constructor(directory) {
    const path = resolve(directory, 'litert_wasm_compat_internal');
    this.#factory = createRequire(import.meta.url)(`${path}.cjs`);
    this.#code = new WebAssembly.Module(readFileSync(`${path}.wasm`));
  }

  discard() {
    this.#broken = true;
  }

  async instance() {
    if (this.#instance !== null && !this.#broken) return this.#instance;
    this.#broken = false;
    const wasm = await this.#factory({
      instantiateWasm: (imports, succeed) => {
        const instance = new WebAssembly.Instance(this.#code, imports);
        succeed(instance, this.#code);
        return instance.exports;
      },
      print: (line) => this.log.add(line),
      printErr: (line) => this.log.add(line),
      onAbort: () => this.discard(),
    });
    wasm.setupLogging();
    const environment = wasm.LiteRtEnvironment.create(null);
    this.#instance = { wasm, environment };
    return this.#instance;
  }
}

// Calls `work` with a function that takes objects of the module and memory into care: all of it is
// given back at the end, the latest first.
function withCleanup(work) {
  const cleanups = [];
  try {
    return work((object, cleanup = () => object.delete()) => {
      cleanups.push(cleanup);
      return object;
    });
  } finally {
    while (cleanups.length > 0) cleanups.pop()();
  }
}

function makeInput({ wasm, environment }, type, contents, index) {
  if (type.bytes() !== contents.length) {
    throw new Error(`input ${index} has ${type.bytes()} bytes, given were ${contents.length}`);
  }
  const buffer = wasm.LiteRtTensorBuffer.createManaged(
    environment, wasm.LiteRtTensorBufferType.HOST_MEMORY, type, contents.length);
  wasm.HEAPU8.set(contents, buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE));
  buffer.unlock();
  return buffer;
}

function readOutput({ wasm }, buffer) {
  const start = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
  const bytes = Buffer.from(wasm.HEAPU8.slice(start, start + buffer.packedSize()));
  buffer.unlock();
  return bytes;
}

const FIRST_SIGNATURE = 0;

function run(instance, model, inputs) {
  const { wasm, environment } = instance;
  return withCleanup((keep) => {
    const address = wasm._malloc(model.length);
    keep(address, () => wasm._free(address));
    wasm.HEAPU8.set(model, address);
    const loaded = keep(wasm.loadModel(environment, address, model.length));
    const compiled = keep(wasm.compileModel(
      environment, loaded, { accelerator: 'wasm', cpuOptions: { numThreads: 1 } }));
    const buffers = inputs.map((contents, index) => {
      const type = keep(loaded.getInputTensorType(FIRST_SIGNATURE, index));
      return keep(makeInput(instance, type, contents, index));
    });
    return compiled.run(FIRST_SIGNATURE, buffers)
      .map((buffer) => readOutput(instance, keep(buffer)));
  });
}

async function serve(directory) {
  const engine = new Engine(directory);
  await engine.instance();
  writeBytes(Buffer.concat(blockBytes(Buffer.from(NAME))));
  for (let request = readRequest(); request !== null; request = readRequest()) {
    const instance = await engine.instance();
    engine.log.take();
    let outputs = [];
    const problems = [];
    try {
      outputs = run(instance, request.model, request.inputs);
    } catch (problem) {
      if (problem instanceof WebAssembly.RuntimeError) engine.discard();
      problems.push(`${problem.message ?? problem}`);
    }
    problems.push(...engine.log.take());
    if (problems.length > 0) {
      writeRefusal(problems.join('; '));
    } else {
      writeOutputs(outputs);
    }
  }
}

const [directory, ...rest] = process.argv.slice(2);
if (directory === undefined || rest.length > 0) {
  writeSync(STANDARD_ERROR, 'Usage: node litert_js.mjs DIR\n');
  process.exit(2);
}
await serve(directory);
