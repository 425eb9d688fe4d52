"""Tell the operator what is right, what is wrong and what to do."""
