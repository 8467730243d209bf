//! The kernel's own Mach, on Apple systems.
