/// <reference lib="deno.worker" />
import { campaign } from "./campaign.ts";
import { findTargets } from "./all_targets.ts";
import { type Answer, type Job, Window } from "./watched.ts";

self.onmessage = async ({ data }: MessageEvent<Job>) => {
  const { target: name, inputs, seed } = data;
  const window = new Window(data.window);
  const [target] = await findTargets(name);
  const result = await campaign(target, inputs, seed, (input) => window.show(input));
  const { finding } = result;
  const answer: Answer = {
    ...result,
    finding: finding && { input: finding.input, error: text(finding.error) },
  };
  self.postMessage(answer);
};

function text(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
