"""Mapping: rights files, cards, lineage and licences. People by role; everybody's registrar is one address."""

REGISTRAR = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
ALICE_WALLET = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
