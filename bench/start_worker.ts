/**
 * Starts a Web Worker that runs a function. A worker from a file would need `--allow-read`, but `deno bench
 * --allow-net` must be enough. So the worker gets the text of the function, which uses nothing from outside.
 *
 * @param program The function that the worker calls.
 * @param argument The argument of the function, which must be JSON.
 */
export function startWorker<T>(program: (argument: T) => unknown, argument: T): Worker {
  const text = `(${program})(${JSON.stringify(argument)});`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}
