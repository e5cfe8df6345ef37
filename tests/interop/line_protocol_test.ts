/** The line server with nc and socat as clients: line endings, half-close, lines that are too long. */
import { assertEquals } from "@std/assert";
import { parseAddress } from "../../mod.ts";
import { Example } from "../system/support/example.ts";
import { needProgram } from "./support/packages.ts";
import { talk } from "./support/talk.ts";

const MANY = 200_000;

interface Client {
  readonly name: string;
  /** Connects, sends the input, ends its sending side, and prints what still comes. */
  say(host: string, port: number, input: string | Uint8Array): Promise<string>;
}

const CLIENTS: readonly Client[] = [
  {
    name: "nc",
    async say(host, port, input) {
      await needProgram("nc.openbsd", "-h", "netcat-openbsd");
      return outputOf(await talk("nc.openbsd", ["-N", host, `${port}`], input));
    },
  },
  {
    name: "socat",
    async say(host, port, input) {
      await needProgram("socat", "-V");
      // Without -t it exits half a second after its own end, although input still comes.
      return outputOf(await talk("socat", ["-t", "60", "-", `TCP:${host}:${port}`], input));
    },
  },
];

function outputOf({ code, output, errors }: Awaited<ReturnType<typeof talk>>): string {
  assertEquals({ code, errors }, { code: 0, errors: "" });
  return output;
}

async function withServer(use: (host: string, port: number) => Promise<void>): Promise<void> {
  await using server = Example.start("line_server", "--port", "0");
  const { host, port } = parseAddress((await server.until(/127\.0\.0\.1:\d+/))[0]);
  await use(host, port);
  server.signal("SIGTERM");
  assertEquals(await server.end(), 0);
  assertEquals(await server.errors(), "");
}

for (const { name, say } of CLIENTS) {
  Deno.test(`${name} gets an answer for each line, ended by LF, by CRLF or by the end of the stream`, async () => {
    await withServer(async (host, port) => {
      // The last line ends with the client's stream.
      const answers = "1 ONE\n2 TWO\n3 \n4 GRÜSSE\n5 LAST\n";
      assertEquals(await say(host, port, "one\ntwo\r\n\r\ngrüße\nlast"), answers);
    });
  });

  Deno.test(`${name} ends its sending side and still receives all the answers`, async () => {
    await withServer(async (host, port) => {
      const questions = Array.from({ length: MANY }, (_, index) => `line ${index}\r\n`);
      const answers = Array.from({ length: MANY }, (_, index) => `${index + 1} LINE ${index}\n`);
      const output = await say(host, port, questions.join(""));
      // The texts are not compared directly: printing their difference would take minutes.
      assertEquals(output.length, answers.join("").length);
      assertEquals(output === answers.join(""), true);
    });
  });

  Deno.test(`F9: ${name} gets one error for a line that is too long or not UTF-8, and the stream goes on`, async () => {
    await withServer(async (host, port) => {
      const parts = ["one\n", "x".repeat(1001), "\n\xff\xfe\r\n", "x".repeat(1000), "\r\n"];
      const input = parts.join("") + "x".repeat(100_000) + "\nend\n";
      const longest = "X".repeat(1000);
      assertEquals(
        await say(host, port, Uint8Array.from(input, (character) => character.charCodeAt(0))),
        `1 ONE\n2 error: TooLarge\n3 error: InvalidData\n4 ${longest}\n5 error: TooLarge\n6 END\n`,
      );
    });
  });
}

Deno.test("the line server answers one client while another says nothing", async () => {
  await withServer(async (host, port) => {
    const silent = await Deno.connect({ hostname: host, port });
    assertEquals(await CLIENTS[0].say(host, port, "hello\n"), "1 HELLO\n");
    silent.close();
  });
});
