"""What to do about a contract's own errors, for those that people meet."""

from __future__ import annotations

ADVICE = {
    "AlreadyBound": "this name is bound to a wallet already",
    "ExceedsUnclaimed": "the pool does not hold this much allocated money: its ledger is wrong, tell the auditors",
    "InvalidProof": "a newer settlement has replaced this proof: get the latest bundle",
    "InvalidSignature": "the signature is not this signer's, or was used already: ask for a fresh one",
    "NotAllowed": "only the holder of the id can do this",
    "NotHolder": "only the holder of the id can do this",
    "NothingOwed": "it has been withdrawn already",
    "NothingToClaim": "it has been paid already",
    "SignatureExpired": "ask for a fresh signature",
    "Unbound": "the name is not bound to a wallet yet: `ame bind` first, the money waits",
}


def explain(function: str, error: str, arguments: str) -> str:
    """One line: the function, the contract's error with its arguments, and what to do about it."""
    found = f"{function}: {error}: {arguments}".removesuffix(": ")
    advice = ADVICE.get(error)
    return f"{found} ({advice})" if advice else found
