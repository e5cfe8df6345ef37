/**
 * Starts a worker that runs a function. A worker from a file needs `--allow-read`, and `deno bench --allow-net`
 * must do: so the worker is given the function's own text, which uses nothing from outside.
 *
 * @param program What the worker does.
 * @param argument What it is called with, as JSON has it.
 */
export function startWorker<T>(program: (argument: T) => unknown, argument: T): Worker {
  const text = `(${program})(${JSON.stringify(argument)});`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}
