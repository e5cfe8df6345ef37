/** Runs a command, and collects its output and errors. */
async function run(
  command: string,
  args: readonly string[],
): Promise<{ readonly success: boolean; readonly output: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    return { success: false, output: String(error) };
  }
}

/** Runs a command that must succeed, and gives its output. */
export async function must(command: string, ...args: string[]): Promise<string> {
  const { success, output } = await run(command, args);
  if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${output}`);
  return output;
}

/**
 * Gives the version of a program, which it installs if it is missing and the user is root. It never skips a test: that
 * would hide that nothing was tested.
 *
 * @param debianPackage Name of the package, if it differs from the program's.
 */
export async function needProgram(
  program: string,
  versionFlag: string,
  debianPackage: string = program,
): Promise<string> {
  return await needPackage(debianPackage, async () => {
    const found = await run(program, [versionFlag]);
    return found.success ? found.output : undefined;
  });
}

/** Gives what `find` finds, after it has installed a package if nothing was there and the user is root. */
export async function needPackage<T>(
  debianPackage: string,
  find: () => Promise<T | undefined>,
): Promise<T> {
  const found = await find();
  if (found !== undefined) return found;
  let why = "only root may install it";
  if (Deno.uid() === 0) {
    await run("apt-get", ["update"]);
    const install = ["install", "--yes", "--no-install-recommends", debianPackage];
    why = (await run("apt-get", install)).output;
  }
  const installed = await find();
  if (installed !== undefined) return installed;
  throw new Error(`THIS TEST NEEDS ${debianPackage}: apt-get install ${debianPackage}\n${why}`);
}
