"""What requests and answers look like, in the contract's field names; the OpenAPI document is made from these."""
