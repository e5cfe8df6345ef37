/** Returns the paths of all files under a folder. Hidden folders and downloaded packages are left out. */
export async function filesUnder(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    const path = folder === "." ? name : `${folder}/${name}`;
    if (isDirectory) files.push(...await filesUnder(path));
    else files.push(path);
  }
  return files.sort();
}

/** Returns the code of a module with each comment replaced by its line ends, so that line numbers stay. */
export function withoutComments(code: string): string {
  const blank = (comment: string): string => comment.replaceAll(/[^\n]/g, "");
  return code.replaceAll(/^ *\/\*.*?\*\/|^ *\/\/.*?$|(?<=[;,{(] )\/\/ .*?$/gms, blank);
}
