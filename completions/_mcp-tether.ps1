Register-ArgumentCompleter -Native -CommandName mcp-tether -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $prev = $env:MCP_TETHER_COMPLETE;
    $env:MCP_TETHER_COMPLETE = "powershell";

    $args = $commandAst.Extent.Text
    $args = $args.Substring(0, [math]::Min($cursorPosition, $args.Length));
    if ($wordToComplete -eq "") {
        $args += " ''";
    }

    $results = Invoke-Expression @"
& mcp-tether -- $args
"@;
    if ($null -eq $prev) {
        Remove-Item Env:\MCP_TETHER_COMPLETE;
    } else {
        $env:MCP_TETHER_COMPLETE = $prev;
    }
    $results | ForEach-Object {
        $split = $_.Split("`t");
        $cmd = $split[0];

        if ($split.Length -eq 2) {
            $help = $split[1];
        }
        else {
            $help = $split[0];
        }

        [System.Management.Automation.CompletionResult]::new($cmd, $cmd, 'ParameterValue', $help)
    }
};
