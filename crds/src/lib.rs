//! The custom resources of vouch.sh/v1alpha1.
