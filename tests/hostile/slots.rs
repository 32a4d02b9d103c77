//! No order of slots and commands leaves a job without a next step.
