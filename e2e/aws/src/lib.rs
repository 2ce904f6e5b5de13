//! A strict stand-in for AWS: it refuses exactly what AWS refuses.
