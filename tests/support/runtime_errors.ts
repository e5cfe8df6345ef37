/** Errors of the runtime, which a transport under test throws. */

export function connectionReset(): Error {
  const error = new Deno.errors.ConnectionReset("Connection reset by peer (os error 104)");
  return Object.assign(error, { code: "ECONNRESET" });
}

export function brokenPipe(): Error {
  const error = new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
  return Object.assign(error, { code: "EPIPE" });
}

export function kernelTimeout(): Error {
  const error = new Deno.errors.TimedOut("Connection timed out (os error 110)");
  return Object.assign(error, { code: "ETIMEDOUT" });
}

export function notConnected(): Error {
  const error = new Deno.errors.NotConnected("Transport endpoint is not connected (os error 107)");
  return Object.assign(error, { code: "ENOTCONN" });
}

/** Makes an error that has no class in the runtime. */
export function plainError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

export function outOfDescriptors(): Error {
  return plainError("EMFILE", "Too many open files (os error 24)");
}
