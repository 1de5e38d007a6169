"""How it looks on the wire: envelope, codec, registry, schemas."""
