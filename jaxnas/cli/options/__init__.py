"""The options of the commands, without anything heavy, so `jaxnas --help` is quick."""
