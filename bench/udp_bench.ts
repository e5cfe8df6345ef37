import { register } from "./register.ts";
import { UDP_WORKLOADS } from "./udp_workloads.ts";

await register(UDP_WORKLOADS);
