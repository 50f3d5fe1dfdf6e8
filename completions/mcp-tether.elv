set edit:completion:arg-completer[mcp-tether] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) MCP_TETHER_COMPLETE="elvish" mcp-tether -- $@words) | to-lines
}
