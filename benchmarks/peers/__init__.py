"""What kseq2seq is compared with: the same models, as their users write them."""
