// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>Every tool at one instant. The tags of its fields.</summary>
    public static class PoseBatchTags
    {
        public const ushort Strings = 1;
        public const ushort Tools = 2;
        public const ushort Reason = 3;
        public const ushort Covariances = 4;
    }
}
