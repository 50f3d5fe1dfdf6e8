complete --keep-order --exclusive --command mcp-tether --arguments "(MCP_TETHER_COMPLETE=fish mcp-tether -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
