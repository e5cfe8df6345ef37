import { register } from "./register.ts";
import { TCP_WORKLOADS } from "./tcp_workloads.ts";

await register(TCP_WORKLOADS);
