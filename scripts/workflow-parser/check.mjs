// Parses workflow files with GitHub's own parser and prints every error: FILE:LINE:COLUMN: TEXT.
// Ends with 1 if there was any. Run by scripts/check-workflows.
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// The parser imports JSON files without the attribute that Node.js asks for.
const hook = `
import { readFileSync } from "node:fs";
export async function load(url, context, next) {
  if (!url.endsWith(".json")) return next(url, context);
  const source = "export default " + readFileSync(new URL(url), "utf8");
  return { format: "module", source, shortCircuit: true };
}`;
register("data:text/javascript," + encodeURIComponent(hook));

const [directory, ...files] = process.argv.slice(2);
const entry = join(directory, "node_modules/@actions/workflow-parser/dist/index.js");
const parser = await import(pathToFileURL(resolve(entry)));

let failed = false;
for (const name of files) {
  const file = { name, content: readFileSync(name, "utf8") };
  const result = parser.parseWorkflow(file, new parser.NoOperationTraceWriter());
  const errors = result.context.errors.getErrors();
  if (result.value) {
    const template = await parser.convertWorkflowTemplate(result.context, result.value);
    for (const error of template.errors ?? []) console.error(`${name}: ${error.Message}`);
    failed ||= Boolean(template.errors?.length);
  }
  for (const error of errors) {
    const { line, column } = error.range?.start ?? { line: 1, column: 1 };
    console.error(`${name}:${line}:${column}: ${error.rawMessage ?? error.message}`);
  }
  failed ||= errors.length > 0;
}
process.exit(failed ? 1 : 0);
