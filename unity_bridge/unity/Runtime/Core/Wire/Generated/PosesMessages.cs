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
        public const ushort Filtered = 5;
    }

    /// <summary>A tool's tip beside a structure that must not be touched.</summary>
    public sealed class RiskDistance
    {
        /// <summary>Name of the surface.</summary>
        public string Structure { get; set; } = "";
        /// <summary>Of the tip from the surface; negative inside.</summary>
        public double DistanceMm { get; set; }
        /// <summary>The distance less the tip's 95 % error towards the structure: alerts go by it.</summary>
        public double LeftMm { get; set; }
        public AlertLevel Level { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static RiskDistance Decode(ReadOnlyMemory<byte> body)
        {
            var message = new RiskDistance();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "structure");
                        message.Structure = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "distance_mm");
                        message.DistanceMm = fields.F64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "left_mm");
                        message.LeftMm = fields.F64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "level");
                        message.Level = AlertLevelCodes.Decode(fields.Byte());
                        break;
                }
            }

            FieldReader.Require(seen, 0xF, "RiskDistance", "structure, distance_mm, left_mm, level");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Structure);
            writer.F64(2, DistanceMm);
            writer.F64(3, LeftMm);
            writer.Byte(4, (byte)AlertLevelCodes.Decode((byte)Level));
        }
    }

    /// <summary>One tool beside the plan. Unless `valid` it has no numbers, but says why.</summary>
    public sealed class ToolGuidance
    {
        public string Tool { get; set; } = "";
        /// <summary>The worse of the tool's and the patient's.</summary>
        public Validity Validity { get; set; }
        /// <summary>Why there are no numbers; empty if there are.</summary>
        public string Reason { get; set; } = "";
        /// <summary>Name of the one that is followed; empty without one: then only the risks are given.</summary>
        public string Trajectory { get; set; } = "";
        /// <summary>Distance of the tip from the trajectory's line.</summary>
        public double? LateralMm { get; set; }
        /// <summary>Of the tip past the entry, along the trajectory; negative before it.</summary>
        public double? DepthMm { get; set; }
        /// <summary>To the target, along the trajectory; negative beyond it.</summary>
        public double? RemainingMm { get; set; }
        /// <summary>Between the tool's axis and the trajectory; absent where the axis was not calibrated.</summary>
        public double? AngleRad { get; set; }
        /// <summary>From the planned entry to where the tool's axis passes it.</summary>
        public double? EntryLateralMm { get; set; }
        /// <summary>95 % of the tip's error beside the patient, in the worst direction.</summary>
        public double? ErrorMm { get; set; }
        /// <summary>Every structure at risk of the plan.</summary>
        public List<RiskDistance> Risks { get; } = new List<RiskDistance>();
        /// <summary>Of the planned screw if it were driven in along the tool's axis.</summary>
        public ScrewGrade? ScrewGrade { get; set; }
        /// <summary>How far it would come out of the bone; negative for the wall that is left; absent where it misses the bone.</summary>
        public double? ScrewBreachMm { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ToolGuidance Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ToolGuidance();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "tool");
                        message.Tool = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "validity");
                        message.Validity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "trajectory");
                        message.Trajectory = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "lateral_mm");
                        message.LateralMm = fields.F64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "depth_mm");
                        message.DepthMm = fields.F64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "remaining_mm");
                        message.RemainingMm = fields.F64();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "angle_rad");
                        message.AngleRad = fields.F64();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "entry_lateral_mm");
                        message.EntryLateralMm = fields.F64();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "error_mm");
                        message.ErrorMm = fields.F64();
                        break;
                    case 11:
                        FieldReader.CheckRepeats(message.Risks.Count, "risks");
                        message.Risks.Add(RiskDistance.Decode(fields.Blob()));
                        break;
                    case 12:
                        FieldReader.Once(ref seen, 10, "screw_grade");
                        message.ScrewGrade = ScrewGradeCodes.Decode(fields.Byte());
                        break;
                    case 13:
                        FieldReader.Once(ref seen, 11, "screw_breach_mm");
                        message.ScrewBreachMm = fields.F64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "ToolGuidance", "tool, validity");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Tool);
            writer.Byte(2, (byte)ValidityCodes.Decode((byte)Validity));
            writer.Text(3, Reason);
            writer.Text(4, Trajectory);
            if (LateralMm is { } value5)
            {
                writer.F64(5, value5);
            }

            if (DepthMm is { } value6)
            {
                writer.F64(6, value6);
            }

            if (RemainingMm is { } value7)
            {
                writer.F64(7, value7);
            }

            if (AngleRad is { } value8)
            {
                writer.F64(8, value8);
            }

            if (EntryLateralMm is { } value9)
            {
                writer.F64(9, value9);
            }

            if (ErrorMm is { } value10)
            {
                writer.F64(10, value10);
            }

            foreach (var each in Risks)
            {
                int start11 = writer.Begin(11);
                each.Encode(writer);
                writer.End(start11);
            }

            if (ScrewGrade is { } value12)
            {
                writer.Byte(12, (byte)ScrewGradeCodes.Decode((byte)value12));
            }

            if (ScrewBreachMm is { } value13)
            {
                writer.F64(13, value13);
            }

        }
    }

    /// <summary>A straight way into the patient, in the frame `ct`, in Unity's convention.</summary>
    public sealed class PlannedTrajectory
    {
        public string Name { get; set; } = "";
        public double[] EntryM { get; set; } = new double[3];
        public double[] TargetM { get; set; } = new double[3];
        /// <summary>Of the screw that is put in, its head at the entry; absent for a way alone.</summary>
        public double? ScrewDiameterMm { get; set; }
        public double? ScrewLengthMm { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static PlannedTrajectory Decode(ReadOnlyMemory<byte> body)
        {
            var message = new PlannedTrajectory();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "name");
                        message.Name = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "entry_m");
                        message.EntryM = fields.Position();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "target_m");
                        message.TargetM = fields.Position();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "screw_diameter_mm");
                        message.ScrewDiameterMm = fields.F64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "screw_length_mm");
                        message.ScrewLengthMm = fields.F64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "PlannedTrajectory", "name, entry_m, target_m");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Name);
            writer.Position(2, EntryM);
            writer.Position(3, TargetM);
            if (ScrewDiameterMm is { } value4)
            {
                writer.F64(4, value4);
            }

            if (ScrewLengthMm is { } value5)
            {
                writer.F64(5, value5);
            }

        }
    }

    /// <summary>Tools beside the plan, at the instant of the header, some 50 times a second. Counted apart from pose batches.</summary>
    public sealed class Guidance : IMessage
    {
        public List<ToolGuidance> Tools { get; } = new List<ToolGuidance>();

        public MessageType WireType => MessageType.Guidance;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Guidance Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Guidance();
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.CheckRepeats(message.Tools.Count, "tools");
                        message.Tools.Add(ToolGuidance.Decode(fields.Blob()));
                        break;
                }
            }

            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            foreach (var each in Tools)
            {
                int start1 = writer.Begin(1);
                each.Encode(writer);
                writer.End(start1);
            }

        }
    }

    /// <summary>What Guidance leads along; once a second, for whoever joins. Counted apart from the other messages.</summary>
    public sealed class GuidancePlan : IMessage
    {
        public List<PlannedTrajectory> Trajectories { get; } = new List<PlannedTrajectory>();
        /// <summary>Name of the trajectory that Guidance is about; empty without one.</summary>
        public string Followed { get; set; } = "";
        /// <summary>Structures whose distance Guidance gives.</summary>
        public List<string> AtRisk { get; } = new List<string>();
        /// <summary>Why there is no guidance; empty if there is.</summary>
        public string Problem { get; set; } = "";

        public MessageType WireType => MessageType.GuidancePlan;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static GuidancePlan Decode(ReadOnlyMemory<byte> body)
        {
            var message = new GuidancePlan();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.CheckRepeats(message.Trajectories.Count, "trajectories");
                        message.Trajectories.Add(PlannedTrajectory.Decode(fields.Blob()));
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 0, "followed");
                        message.Followed = fields.Text();
                        break;
                    case 3:
                        FieldReader.CheckRepeats(message.AtRisk.Count, "at_risk");
                        message.AtRisk.Add(fields.Text());
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 1, "problem");
                        message.Problem = fields.Text();
                        break;
                }
            }

            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            foreach (var each in Trajectories)
            {
                int start1 = writer.Begin(1);
                each.Encode(writer);
                writer.End(start1);
            }

            writer.Text(2, Followed);
            foreach (var each in AtRisk)
            {
                writer.Text(3, each);
            }

            writer.Text(4, Problem);
        }
    }
}
