// Loaded before a server that is measured: answers each message of the parent process with the CPU time and the memory of this one.
process.on("message", () => process.send?.({ ...process.cpuUsage(), rss: process.memoryUsage.rss() }));
// Without this, the server would not end while the parent listens.
process.channel?.unref();
