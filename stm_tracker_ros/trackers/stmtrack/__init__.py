"""STMTrack: template-free tracking with a space-time memory (Fu et al., CVPR 2021)."""
