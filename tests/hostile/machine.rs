//! The machine: files, ports, passwords, key files, the private server.
