import { register } from "./register.ts";

await register(({ unit, work }) => unit !== "datagrams/s" && work !== "udp_echo");
