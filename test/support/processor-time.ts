/**
 * Processor time that this process has used so far, in milliseconds: what work costs, however long others on
 * the machine keep it from being done.
 */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
