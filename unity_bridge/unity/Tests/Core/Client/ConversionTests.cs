#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Against tests/golden/conversion, which Python writes: points and positions bit for bit, rotations to 1e-6.</summary>
    public sealed class ConversionTests
    {
        private const double Tolerance = 1e-6;
        private readonly Dictionary<string, object> golden = JsonFile.Golden("conversion/conversion.json");

        [Test]
        public void PointsBitForBit()
        {
            int count = 0;
            foreach (var each in JsonFile.Objects(golden["points"]))
            {
                var unity = UnityConvention.PointToUnity(Vector(each["point_mm"]));
                Assert.That(Array(unity), Is.EqualTo(JsonFile.Numbers(each["point_m"])));
                Assert.That(Array(UnityConvention.PointFromUnity(unity)), Is.EqualTo(JsonFile.Numbers(each["point_mm"])).Within(1e-9));
                count++;
            }

            Assert.That(count, Is.GreaterThan(10));
        }

        [Test]
        public void PosesToo()
        {
            foreach (var each in JsonFile.Objects(golden["poses"]))
            {
                var position = UnityConvention.PointToUnity(Vector(each["position_mm"]));
                Assert.That(Array(position), Is.EqualTo(JsonFile.Numbers(each["position_m"])));
                var rotation = UnityConvention.RotationToUnity(Quaternion(each["right_handed_xyzw"]));
                AssertSameRotation(rotation, JsonFile.Numbers(each["rotation_xyzw"]));
                AssertSameRotation(UnityConvention.RotationFromUnity(rotation), JsonFile.Numbers(each["right_handed_xyzw"]));
            }
        }

        [Test]
        public void AToolThatHangsFromAToolIsWhereTheServerSaysItIs()
        {
            foreach (var each in JsonFile.Objects(golden["chains"]))
            {
                var point = Vector(each["point_m"]);
                foreach (string link in new[] { "inner", "outer" })
                {
                    var pose = (Dictionary<string, object>)each[link];
                    var at = Vector(pose["position_m"]);
                    var position = new Float3 { X = (float)at.X, Y = (float)at.Y, Z = (float)at.Z };
                    point = PoseMath.Apply(position, Quaternion(pose["rotation_xyzw"]), point);
                }

                Assert.That(Array(point), Is.EqualTo(JsonFile.Numbers(each["placed_m"])).Within(Tolerance));
            }
        }

        [Test]
        public void RotationsInBetweenAreSciPys()
        {
            foreach (var each in JsonFile.Objects(golden["interpolations"]))
            {
                var between = PoseMath.Slerp(
                    Quaternion(each["from_xyzw"]), Quaternion(each["to_xyzw"]), (double)each["share"]);
                AssertSameRotation(between, JsonFile.Numbers(each["between_xyzw"]));
            }
        }

        private static void AssertSameRotation(in Float4 came, double[] expected)
        {
            double[] numbers = { came.X, came.Y, came.Z, came.W };
            double sign = Math.Sign(numbers.Zip(expected, (one, other) => one * other).Sum()); // q and -q are one rotation
            Assert.That(numbers.Select(each => each * sign), Is.EqualTo(expected).Within(Tolerance));
        }

        private static double[] Array(in Double3 vector) => new[] { vector.X, vector.Y, vector.Z };

        private static Double3 Vector(object list)
        {
            var numbers = JsonFile.Numbers(list);
            return new Double3 { X = numbers[0], Y = numbers[1], Z = numbers[2] };
        }

        private static Float4 Quaternion(object list)
        {
            var numbers = JsonFile.Numbers(list);
            return new Float4 { X = (float)numbers[0], Y = (float)numbers[1], Z = (float)numbers[2], W = (float)numbers[3] };
        }
    }
}
