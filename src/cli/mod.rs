//! The command line: clap tree, one file a command family, pure rendering.
